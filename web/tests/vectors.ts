/** Files of the repository that the client is tested against. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The folder of the client. */
export const WEB = join(import.meta.dirname, "..");

/** One file of tests/vectors, decoded: what the box's protocol is tested with. */
export function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(join(WEB, "..", "tests", "vectors", `${name}.json`), "utf8")) as T;
}

/** Hexadecimal text to bytes. */
export function hex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
