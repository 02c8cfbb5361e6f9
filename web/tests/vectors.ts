/** Files of the repository that the client is tested against. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { shake256 } from "@noble/hashes/sha3.js";
import { Refusal } from "../src/protocol/refusal.ts";

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

/** Bytes that look random and never change: what the vectors call by labels. */
export function seed(label: string, size = 32): Uint8Array {
  return new Uint8Array(shake256(new TextEncoder().encode(`island vector ${label}`), { dkLen: size }));
}

/** Randomness that is the same in every run. */
export function seeded(label: string): (octets: number) => Uint8Array {
  const stream = shake256.create({ dkLen: 2 ** 31 - 1 }).update(new TextEncoder().encode(label));
  return (octets) => stream.xof(octets);
}

/** Randomness that was drawn before, in this order; more than that is an error. */
export function drawn(...bytes: Uint8Array[]): (octets: number) => Uint8Array {
  let left = Uint8Array.from(bytes.flatMap((part) => [...part]));
  return (octets) => {
    if (octets > left.length) throw new Error("nothing more was drawn");
    const part = left.slice(0, octets);
    left = left.slice(octets);
    return part;
  };
}

/** The code of the refusal that `make` ends in; another error passes, and none is told. */
export function refusalOf(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
  return "none";
}

/** The same for a promise. */
export async function refusalOfPromise(promise: Promise<unknown>): Promise<string> {
  const settled = await promise.then(
    () => () => undefined,
    (error: unknown) => () => {
      throw error;
    },
  );
  return refusalOf(settled);
}
