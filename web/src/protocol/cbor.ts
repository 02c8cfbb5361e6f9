/**
 * Deterministic CBOR (SPEC.md, "Values"), written and read.
 *
 * By hand, since only one encoding of each value is ever written or read: a reader of general CBOR would
 * have to be checked for everything else it takes.
 */
import { compare, utf8 } from "./bytes.ts";
import { Refusal } from "./refusal.ts";

/** What a message can hold. An integer is read as a bigint where a number could not hold it exactly. */
export type Value =
  | number
  | bigint
  | string
  | boolean
  | null
  | Uint8Array
  | readonly Value[]
  | { readonly [key: string]: Value };

const MAX_DEPTH = 16;
const MAX_VALUES = 65_536;
const UINT = 0;
const NEGATIVE = 1;
const BYTES = 2;
const TEXT = 3;
const LIST = 4;
const MAP = 5;
const FALSE = 0xf4;
const TRUE = 0xf5;
const NULL = 0xf6;

/** Shapes of maps whose order of keys is remembered; those of maps with keys of their own making push others out. */
const MAX_SHAPES = 256;
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The one encoding of a value; map keys that are `undefined` are left out. TypeError for what CBOR here lacks. */
export function encode(value: unknown): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  writer.put(value);
  return writer.bytes();
}

/** The value in `data`; Refusal malformed unless it is the one encoding of it, and all of `data`. */
export function decode(data: Uint8Array): Value {
  const reader = new Reader(data);
  const value = reader.value(1);
  if (reader.at !== data.length) throw new Refusal("malformed");
  return value;
}

interface Key {
  key: string;
  bytes: Uint8Array;
}

/** Keys in the order in which they are written, by the keys of a value joined. */
const shapes = new Map<string, readonly Key[]>();

function shapeOf(keys: string[]): readonly Key[] {
  if (keys.length === 0) return [];
  const name = keys.join("\0");
  const known = shapes.get(name);
  if (known) return known;
  const shape = keys.map((key) => ({ key, bytes: utf8(wellFormed(key)) }));
  shape.sort((a, b) => a.bytes.length - b.bytes.length || compare(a.bytes, b.bytes));
  // A key with the joint inside would make two shapes one.
  if (keys.some((key) => key.includes("\0"))) return shape;
  if (shapes.size >= MAX_SHAPES) shapes.clear();
  shapes.set(name, shape);
  return shape;
}

class Writer {
  #data = new Uint8Array(256);
  #at = 0;

  bytes(): Uint8Array<ArrayBuffer> {
    return this.#data.slice(0, this.#at);
  }

  put(value: unknown): void {
    if (value instanceof Uint8Array) this.#block(BYTES, value);
    else if (typeof value === "string") this.#text(value);
    else if (typeof value === "number" || typeof value === "bigint") this.#integer(value);
    else if (value === null) this.#byte(NULL);
    else if (typeof value === "boolean") this.#byte(value ? TRUE : FALSE);
    else if (Array.isArray(value)) {
      this.#head(LIST, value.length);
      for (const entry of value) this.put(entry);
    } else if (typeof value === "object") this.#map(value as Record<string, unknown>);
    else throw new TypeError(`${typeof value} has no place in a message`);
  }

  #map(map: Record<string, unknown>): void {
    const shape = shapeOf(Object.keys(map).filter((key) => map[key] !== undefined));
    this.#head(MAP, shape.length);
    for (const { key, bytes } of shape) {
      this.#block(TEXT, bytes);
      this.put(map[key]);
    }
  }

  #text(text: string): void {
    this.#block(TEXT, utf8(wellFormed(text)));
  }

  #integer(value: number | bigint): void {
    if (typeof value === "number" && !Number.isSafeInteger(value))
      throw new TypeError("only whole numbers have a place in a message");
    if (value >= 0) this.#head(UINT, value);
    else this.#head(NEGATIVE, typeof value === "bigint" ? -1n - value : -1 - value);
  }

  #block(major: number, bytes: Uint8Array): void {
    this.#head(major, bytes.length);
    this.#room(bytes.length);
    this.#data.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #head(major: number, count: number | bigint): void {
    const width = widthOf(count);
    if (width === 0) return this.#byte((major << 5) | Number(count));
    this.#byte((major << 5) | (24 + Math.log2(width)));
    if (width === 8) this.#word(Number(BigInt(count) >> 32n), 4);
    this.#word(width === 8 ? Number(BigInt(count) & 0xffff_ffffn) : Number(count), Math.min(width, 4));
  }

  #word(value: number, width: number): void {
    for (let shift = 8 * width - 8; shift >= 0; shift -= 8) this.#byte((value >>> shift) & 255);
  }

  #byte(byte: number): void {
    this.#room(1);
    this.#data[this.#at++] = byte;
  }

  #room(more: number): void {
    if (this.#at + more <= this.#data.length) return;
    const larger = new Uint8Array(Math.max(this.#data.length * 2, this.#at + more));
    larger.set(this.#data);
    this.#data = larger;
  }
}

/** Octets that follow the first one of a head. */
function widthOf(count: number | bigint): number {
  if (count < 24) return 0;
  if (count < 0x100) return 1;
  if (count < 0x10000) return 2;
  if (count < 0x1_0000_0000) return 4;
  if (count < 1n << 64n) return 8;
  throw new TypeError("an integer of more than 64 bits has no place in a message");
}

function wellFormed(text: string): string {
  if (!text.isWellFormed()) throw new TypeError("half a character has no place in a message");
  return text;
}

class Reader {
  at = 0;
  #left = MAX_VALUES;

  constructor(readonly data: Uint8Array) {}

  value(depth: number): Value {
    if (--this.#left < 0) throw new Refusal("malformed");
    const first = this.#byte();
    const major = first >> 5;
    if (major > MAP) return simple(first);
    const count = this.#count(first & 31);
    if (major === UINT) return count;
    if (major === NEGATIVE) return negative(count);
    if (major === BYTES) return this.#take(count).slice();
    if (major === TEXT) return this.#text(count);
    if (depth > MAX_DEPTH || count > this.data.length - this.at) throw new Refusal("malformed");
    return major === LIST ? this.#list(Number(count), depth) : this.#map(Number(count), depth);
  }

  #list(count: number, depth: number): Value[] {
    const list: Value[] = [];
    for (let at = 0; at < count; at++) list.push(this.value(depth + 1));
    return list;
  }

  #map(count: number, depth: number): Record<string, Value> {
    const map: Record<string, Value> = {};
    let before: Uint8Array | undefined;
    for (let at = 0; at < count; at++) {
      if (--this.#left < 0) throw new Refusal("malformed");
      const start = this.at;
      const first = this.#byte();
      if (first >> 5 !== TEXT) throw new Refusal("malformed");
      const key = this.#text(this.#count(first & 31));
      // The encoded key, head and all: shorter keys have smaller heads.
      const encoded = this.data.subarray(start, this.at);
      if (before && compare(before, encoded) >= 0) throw new Refusal("malformed");
      before = encoded;
      const value = this.value(depth + 1);
      // An assignment to this name would set the prototype.
      if (key === "__proto__")
        Object.defineProperty(map, key, { value, enumerable: true, writable: true, configurable: true });
      else map[key] = value;
    }
    return map;
  }

  #text(count: number | bigint): string {
    try {
      return DECODER.decode(this.#take(count));
    } catch {
      throw new Refusal("malformed");
    }
  }

  /** The count in a head; refused unless written in its shortest form. */
  #count(small: number): number | bigint {
    if (small < 24) return small;
    if (small > 27) throw new Refusal("malformed");
    const width = 1 << (small - 24);
    const bytes = this.#take(width);
    let count: number | bigint = 0;
    if (width === 8) for (const byte of bytes) count = (BigInt(count) << 8n) | BigInt(byte);
    else for (const byte of bytes) count = (count as number) * 256 + byte;
    if (widthOf(count) !== width) throw new Refusal("malformed");
    return count <= Number.MAX_SAFE_INTEGER ? Number(count) : count;
  }

  #take(count: number | bigint): Uint8Array {
    if (count > this.data.length - this.at) throw new Refusal("malformed");
    const start = this.at;
    this.at += Number(count);
    return this.data.subarray(start, this.at);
  }

  #byte(): number {
    if (this.at >= this.data.length) throw new Refusal("malformed");
    return this.data[this.at++]!;
  }
}

function simple(first: number): Value {
  if (first === NULL) return null;
  if (first === TRUE || first === FALSE) return first === TRUE;
  throw new Refusal("malformed");
}

function negative(count: number | bigint): number | bigint {
  const value = -1n - BigInt(count);
  return value >= BigInt(Number.MIN_SAFE_INTEGER) ? Number(value) : value;
}
