/**
 * The attachment: a file cut into chunk envelopes that travel and are kept like messages.
 *
 * Each chunk is AES-256-GCM under the attachment's own key, with its number as nonce; since the key is drawn
 * for one attachment, no nonce comes twice. The number of chunks is rounded up (Padmé) with zeros. The ids of
 * many chunks do not fit one message: they are then in index chunks, numbered after the others.
 */
import { blake2b } from "@noble/hashes/blake2.js";
import { concat, u32 } from "./bytes.ts";
import { MAX_LISTED } from "./content.ts";
import { SIZES, VERSION, padme } from "./envelope.ts";
import { domain } from "./keys.ts";
import { Refusal } from "./refusal.ts";

const SIZE = SIZES[3];
const ID_SIZE = 16;
/** Octets of the file in one chunk. */
export const PIECE = SIZE - 1 - 16;
export const MAX_CHUNKS = 2000;
/** Chunk ids in one index chunk. */
export const IDS = Math.floor(PIECE / ID_SIZE);

/** How a file travels: its octets, pieces that hold some, chunks with padding, index chunks after them. */
export interface Plan {
  readonly size: number;
  readonly pieces: number;
  readonly count: number;
  readonly indexes: number;
}

/** The plan for a file of so many octets; Refusal too_large. */
export function plan(size: number): Plan {
  const pieces = Math.max(1, Math.ceil(size / PIECE));
  // Before rounding, which takes numbers of 32 bits.
  if (pieces > MAX_CHUNKS || padme(pieces) > MAX_CHUNKS) throw new Refusal("too_large");
  const count = padme(pieces);
  return { size, pieces, count, indexes: count > MAX_LISTED ? Math.ceil(count / IDS) : 0 };
}

/** The key of an attachment for the browser. */
export function importKey(key: Uint8Array): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", new Uint8Array(key), "AES-GCM", false, ["encrypt", "decrypt"]);
}

/** The envelope of chunk `number`; the piece is filled up with zeros. Its id is that of the envelope. */
export async function sealChunk(
  key: CryptoKey,
  plan: Plan,
  number: number,
  piece: Uint8Array,
): Promise<Uint8Array> {
  const filled = new Uint8Array(PIECE);
  filled.set(piece);
  const sealed = await crypto.subtle.encrypt(algorithm(plan, number), key, filled);
  return concat(Uint8Array.of(VERSION), new Uint8Array(sealed));
}

/** What chunk `number` holds, cut to the file's size; Refusal not_opened. */
export async function openChunk(
  key: CryptoKey,
  plan: Plan,
  number: number,
  envelope: Uint8Array,
): Promise<Uint8Array> {
  const inside = Number.isInteger(number) && number >= 0 && number < plan.count + plan.indexes;
  if (!inside || envelope.length !== SIZE || envelope[0] !== VERSION) throw new Refusal("not_opened");
  let piece: Uint8Array;
  try {
    const sealed = await crypto.subtle.decrypt(algorithm(plan, number), key, envelope.slice(1));
    piece = new Uint8Array(sealed);
  } catch {
    throw new Refusal("not_opened");
  }
  if (number >= plan.count) return piece;
  return piece.subarray(0, Math.max(0, Math.min(PIECE, plan.size - number * PIECE)));
}

/** The pieces of the index chunks, from the ids of the others in order; none for small attachments. */
export function indexPieces(plan: Plan, ids: readonly Uint8Array[]): Uint8Array[] {
  return Array.from({ length: plan.indexes }, (_, at) => concat(...ids.slice(at * IDS, (at + 1) * IDS)));
}

/** The ids of the chunks, from the opened index chunks in order. */
export function readIndex(plan: Plan, pieces: readonly Uint8Array[]): Uint8Array[] {
  const all = concat(...pieces.map((piece) => piece.subarray(0, IDS * ID_SIZE)));
  const count = Math.min(plan.count, Math.floor(all.length / ID_SIZE));
  return Array.from({ length: count }, (_, at) => all.slice(at * ID_SIZE, (at + 1) * ID_SIZE));
}

/** BLAKE2b-256 of the whole file, piece by piece: `update` each, then `digest`. */
export function contentDigest(): { update(piece: Uint8Array): unknown; digest(): Uint8Array } {
  return blake2b.create({ dkLen: 32 });
}

function algorithm(plan: Plan, number: number): AesGcmParams {
  return {
    name: "AES-GCM",
    iv: concat(new Uint8Array(8), u32(number)),
    additionalData: concat(domain("attachment"), u32(plan.count), u32(number)),
  };
}
