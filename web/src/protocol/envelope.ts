/** The envelope: an opaque block of one of four sizes, its id, and the padding that fills it (SPEC.md, "Envelopes"). */
import { blake2b } from "@noble/hashes/blake2.js";
import { Refusal } from "./refusal.ts";

export const VERSION = 1;
/** Octets of an envelope. */
export const SIZES = [960, 1984, 4032, 16320] as const;
const MARK = 0x80;

/** Refusal wrong_size or unknown_version; all a relay can know of an envelope. */
export function check(envelope: Uint8Array): void {
  if (!(SIZES as readonly number[]).includes(envelope.length)) throw new Refusal("wrong_size");
  if (envelope[0] !== VERSION) throw new Refusal("unknown_version");
}

/** The 16 bytes by which an envelope is acknowledged and recognised again. */
export function envelopeId(envelope: Uint8Array): Uint8Array {
  return blake2b(envelope, { dkLen: 16 });
}

/** The smallest size, of `from` at least, for content, one octet of padding and the overhead; Refusal wrong_size. */
export function sizeFor(octets: number, overhead: number, from = 0): number {
  const size = SIZES.find((size) => size >= from && octets + 1 + overhead <= size);
  if (size === undefined) throw new Refusal("wrong_size");
  return size;
}

/** Content ‖ 0x80 ‖ zeros up to `size` octets; Refusal wrong_size when it does not fit. */
export function pad(content: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  if (content.length >= size) throw new Refusal("wrong_size");
  const padded = new Uint8Array(size);
  padded.set(content);
  padded[content.length] = MARK;
  return padded;
}

/** The content before the padding; Refusal malformed without a padding mark. */
export function unpad(padded: Uint8Array): Uint8Array {
  let end = padded.length - 1;
  while (end >= 0 && padded[end] === 0) end--;
  if (padded[end] !== MARK) throw new Refusal("malformed");
  return padded.slice(0, end);
}

/** A count below 2³² rounded up so that it tells its magnitude and little more (at most an eighth above). */
export function padme(count: number): number {
  if (count < 2) return count;
  const exponent = 31 - Math.clz32(count);
  const step = 2 ** (exponent - (32 - Math.clz32(exponent)));
  return Math.ceil(count / step) * step;
}
