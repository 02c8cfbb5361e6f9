/** The box's transparency log in memory: RFC 6962 trees, proofs and signed notes, straight from the definition. */
import { ed25519 } from "@noble/curves/ed25519.js";
import { sha256 } from "@noble/hashes/sha2.js";
import type { Proof } from "../../../src/protocol/directory.ts";
import { concat, utf8 } from "../../../src/protocol/bytes.ts";

const hash = (...parts: Uint8Array[]): Uint8Array => sha256(concat(...parts));
const base64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));

function split(size: number): number {
  let power = 1;
  while (power * 2 < size) power *= 2;
  return power;
}

function root(leaves: Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha256(new Uint8Array());
  if (leaves.length === 1) return hash(Uint8Array.of(0), leaves[0]!);
  const at = split(leaves.length);
  return hash(Uint8Array.of(1), root(leaves.slice(0, at)), root(leaves.slice(at)));
}

function path(index: number, leaves: Uint8Array[]): Uint8Array[] {
  if (leaves.length <= 1) return [];
  const at = split(leaves.length);
  if (index < at) return [...path(index, leaves.slice(0, at)), root(leaves.slice(at))];
  return [...path(index - at, leaves.slice(at)), root(leaves.slice(0, at))];
}

function prefix(size: number, leaves: Uint8Array[], whole: boolean): Uint8Array[] {
  if (size === leaves.length) return whole ? [] : [root(leaves)];
  const at = split(leaves.length);
  if (size <= at) return [...prefix(size, leaves.slice(0, at), whole), root(leaves.slice(at))];
  return [...prefix(size - at, leaves.slice(at), false), root(leaves.slice(0, at))];
}

export class Tree {
  leaves: Uint8Array[] = [];

  constructor(
    readonly seed: Uint8Array,
    readonly host: string,
  ) {}

  note(): string {
    const origin = `${this.host}/directory`;
    const body = `${origin}\n${this.leaves.length}\n${base64(root(this.leaves))}\n`;
    const key = ed25519.getPublicKey(this.seed);
    const name = hash(utf8(`${origin}\n`), Uint8Array.of(1), key).slice(0, 4);
    const signature = ed25519.sign(utf8(body), this.seed);
    return `${body}\n\u2014 ${origin} ${base64(concat(name, signature))}\n`;
  }

  prove(leaf: Uint8Array, size: number): Proof {
    const index = this.leaves.indexOf(leaf);
    const known = size > 0 && size <= this.leaves.length;
    return {
      index,
      hashes: path(index, this.leaves),
      checkpoint: this.note(),
      consistency: known ? prefix(size, this.leaves, true) : null,
    };
  }
}
