/** Readers of typed values: each takes a decoded value and gives it back typed, or refuses it as malformed. */
import type { Value } from "./cbor.ts";
import { Refusal } from "./refusal.ts";

/** Reads one kind of value. */
export type Shape<T> = (value: Value | undefined) => T;

/** The type a shape reads. */
export type Read<S> = S extends Shape<infer T> ? T : never;

/** Bytes, of `least` to `most`, or of exactly `least`. */
export function bytes(least: number, most = least): Shape<Uint8Array> {
  return (value) => {
    if (value instanceof Uint8Array && value.length >= least && value.length <= most) return value;
    throw new Refusal("malformed");
  };
}

/** A whole number from `least` to `most`. */
export function integer(least: number, most: number = Number.MAX_SAFE_INTEGER): Shape<number> {
  return (value) => {
    if (typeof value === "number" && value >= least && value <= most) return value;
    throw new Refusal("malformed");
  };
}

/** Text of `least` to `most` code points. */
export function text(most: number, least = 0, pattern?: RegExp): Shape<string> {
  return (value) => {
    // A code point has one or two units.
    if (typeof value !== "string" || value.length > 2 * most) throw new Refusal("malformed");
    const length = [...value].length;
    if (length < least || length > most || pattern?.test(value) === false) throw new Refusal("malformed");
    return value;
  };
}

/** True or false. */
export const flag: Shape<boolean> = (value) => {
  if (typeof value === "boolean") return value;
  throw new Refusal("malformed");
};

/** One of these texts. */
export function oneOf<const T extends string>(...choices: T[]): Shape<T> {
  return (value) => {
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw new Refusal("malformed");
    return found;
  };
}

/** A list of `least` to `most` values. */
export function list<T>(of: Shape<T>, most: number, least = 0): Shape<T[]> {
  return (value) => {
    if (!Array.isArray(value) || value.length < least || value.length > most) throw new Refusal("malformed");
    return (value as Value[]).map((entry) => of(entry));
  };
}

/** The value, or undefined when the key is missing or has null, which means the same. */
export function optional<T>(of: Shape<T>): Shape<T | undefined> {
  return (value) => (value === undefined || value === null ? undefined : of(value));
}

/** A map with these keys and no others. */
export function map<S extends Record<string, Shape<unknown>>>(
  shapes: S,
): Shape<{ [K in keyof S]: Read<S[K]> }> {
  const names = Object.keys(shapes);
  return (value) => {
    if (!isMap(value) || Object.keys(value).some((key) => !Object.hasOwn(shapes, key)))
      throw new Refusal("malformed");
    const read: Record<string, unknown> = {};
    for (const name of names) {
      const entry = shapes[name]!(Object.hasOwn(value, name) ? value[name] : undefined);
      if (entry !== undefined) read[name] = entry;
    }
    return read as { [K in keyof S]: Read<S[K]> };
  };
}

/** Whether a value is a map. */
export function isMap(value: Value | undefined): value is { readonly [key: string]: Value } {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  );
}

/** Whether a value is a whole number of any size. */
export function isInteger(value: Value | undefined): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}
