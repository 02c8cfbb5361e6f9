/**
 * Pictures: the small JPEG by which a person is known to their contacts, and nothing else in it (SPEC section 25).
 *
 * Only the structure is looked at, segment by segment up to the end of the one image; what its samples say is the
 * business of whoever draws it.
 */
import { concat, equal } from "./bytes.ts";
import { Refusal } from "./refusal.ts";

export const MAX_OCTETS = 8192;
/** Pixels. */
export const MAX_SIDE = 256;

const START = Uint8Array.of(0xff, 0xd8);
const END = Uint8Array.of(0xff, 0xd9);
/** Baseline and progressive. */
const FRAMES: readonly number[] = [0xc0, 0xc2];
/** Huffman codes, quantisation, restart interval. */
const TABLES: readonly number[] = [0xc4, 0xdb, 0xdd];
const SCAN = 0xda;
const ENDING = 0xd9;
const JFIF = 0xe0;
const COMMENT = 0xfe;
/** "JFIF" and a zero. */
const JFIF_NAME = Uint8Array.of(0x4a, 0x46, 0x49, 0x46, 0);

/** Pixels. */
export interface Size {
  width: number;
  height: number;
}

/** The size of a picture as it may travel; Refusal too_large, or malformed when it is anything else or more. */
export function readPicture(picture: Uint8Array): Size {
  if (picture.length > MAX_OCTETS) throw new Refusal("too_large");
  const { size, bare } = walk(picture);
  if (!equal(bare, picture)) throw new Refusal("malformed");
  if (Math.max(size.width, size.height) > MAX_SIDE) throw new Refusal("too_large");
  return size;
}

/** A JPEG of any size without camera data, comments, thumbnails and what follows its end; Refusal malformed. */
export function stripped(jpeg: Uint8Array): Uint8Array {
  return walk(jpeg).bare;
}

/** The picture as an address that a page can show. */
export function dataUrl(picture: Uint8Array): string {
  return `data:image/jpeg;base64,${btoa(String.fromCharCode(...picture))}`;
}

/** The picture in such an address. */
export function fromDataUrl(url: string): Uint8Array {
  return Uint8Array.from(atob(url.slice(url.indexOf(",") + 1)), (letter) => letter.charCodeAt(0));
}

/** The size, and all that belongs to the image itself. */
function walk(jpeg: Uint8Array): { size: Size; bare: Uint8Array } {
  if (!equal(jpeg.subarray(0, 2), START)) throw new Refusal("malformed");
  let size: Size | undefined;
  const kept: Uint8Array[] = [START];
  let scans = 0;
  for (let at = 2; ;) {
    const begin = markerEnd(jpeg, at);
    const marker = jpeg[begin - 1]!;
    if (marker === ENDING) {
      if (!size || scans === 0) throw new Refusal("malformed");
      return { size, bare: concat(...kept, END) };
    }
    const body = bodyOf(jpeg, begin);
    at = begin + 2 + body.length;
    if (FRAMES.includes(marker) && !size) size = frame(body);
    else if (marker === SCAN && size) {
      at = scanEnd(jpeg, at);
      scans++;
    } else if (marker === COMMENT || (marker >= 0xe0 && marker <= 0xef)) {
      if (marker !== JFIF || kept.length > 1 || !isPlainJfif(body)) continue;
    } else if (!TABLES.includes(marker)) throw new Refusal("malformed");
    kept.push(Uint8Array.of(0xff, marker), jpeg.subarray(begin, at));
  }
}

/** Where what follows the marker begins that stands here, perhaps after fill octets. */
function markerEnd(jpeg: Uint8Array, at: number): number {
  let end = at;
  while (jpeg[end] === 0xff) end++;
  if (end === at || end === jpeg.length) throw new Refusal("malformed");
  return end + 1;
}

/** What a segment holds behind its length. */
function bodyOf(jpeg: Uint8Array, at: number): Uint8Array {
  const length = ((jpeg[at] ?? 0) << 8) | (jpeg[at + 1] ?? 0);
  if (length < 2 || at + length > jpeg.length) throw new Refusal("malformed");
  return jpeg.subarray(at + 2, at + length);
}

/** The size of eight-bit samples in shades or in colours. */
function frame(body: Uint8Array): Size {
  if (body.length < 6) throw new Refusal("malformed");
  const view = new DataView(body.buffer, body.byteOffset);
  const [height, width, components] = [view.getUint16(1), view.getUint16(3), body[5]!];
  const fits = (components === 1 || components === 3) && body.length === 6 + 3 * components;
  if (body[0] !== 8 || height === 0 || width === 0 || !fits) throw new Refusal("malformed");
  return { width, height };
}

/** Where the coded samples end: at a marker that is neither a stuffed octet nor a restart. */
function scanEnd(jpeg: Uint8Array, from: number): number {
  for (let at = from; ; at += 2) {
    at = jpeg.indexOf(0xff, at);
    if (at < 0 || at + 1 === jpeg.length) throw new Refusal("malformed");
    const next = jpeg[at + 1]!;
    if (next !== 0 && (next < 0xd0 || next > 0xd7)) return at;
  }
}

/** Whether an APP0 says how the image is to be taken, without a thumbnail. */
function isPlainJfif(body: Uint8Array): boolean {
  return body.length === 14 && equal(body.subarray(0, 5), JFIF_NAME) && body[12] === 0 && body[13] === 0;
}
