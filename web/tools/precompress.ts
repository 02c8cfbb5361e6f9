/** Writes FILE.gz beside every text file of the build, the same bytes on every machine. */
import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";

const TEXT = /\.(html|js|css|svg|md|json|txt)$/;
const OS_BYTE = 9;
const OS_UNKNOWN = 255;

/** Compress `data`; the header names no time and no operating system. */
export function compress(data: Uint8Array): Buffer {
  const packed = gzipSync(data, { level: 9 });
  packed[OS_BYTE] = OS_UNKNOWN;
  return packed;
}

/** The Vite plugin: runs after everything is written. */
export function precompress(): Plugin {
  let folder = "dist";
  return {
    name: "precompress",
    apply: "build",
    configResolved(config) {
      folder = config.build.outDir;
    },
    closeBundle() {
      for (const file of files(folder)) {
        if (TEXT.test(file)) writeFileSync(`${file}.gz`, compress(readFileSync(file)));
      }
    },
  };
}

function files(folder: string): string[] {
  return readdirSync(folder)
    .map((name) => join(folder, name))
    .flatMap((path) => (statSync(path).isDirectory() ? files(path) : [path]));
}
