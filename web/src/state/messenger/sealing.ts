/**
 * A file as sealed envelopes: the index chunks first, then the chunks. The same file under the same key gives the
 * same envelopes, so that an upload can go on from the file alone; another file is never sealed under that key.
 */
import {
  contentDigest,
  importKey,
  indexPieces,
  PIECE,
  plan as planOf,
  sealChunk,
  type Plan,
} from "../../protocol/attachment.ts";
import { equal } from "../../protocol/bytes.ts";
import { envelopeId } from "../../protocol/envelope.ts";
import { Refusal } from "../api.ts";
import { AT_ONCE } from "./parts.ts";

type Told = (share: number) => void;

export interface Sealed {
  digest: Uint8Array;
  /** Of all envelopes in order, index chunks first. */
  ids: Uint8Array[];
}

async function pieceOf(blob: Blob, number: number): Promise<Uint8Array> {
  return new Uint8Array(await blob.slice(number * PIECE, (number + 1) * PIECE).arrayBuffer());
}

/** The digest of a file, to know it again before anything of it is sealed. */
export async function digestOf(blob: Blob, told: Told): Promise<Uint8Array> {
  const digest = contentDigest();
  for (let at = 0; at * PIECE < blob.size; at++) {
    digest.update(await pieceOf(blob, at));
    told(Math.min(1, ((at + 1) * PIECE) / blob.size));
  }
  return digest.digest();
}

/** Seal a whole file; each part is handed to `took` as it is ready. */
export async function sealFile(
  blob: Blob,
  key: Uint8Array,
  took: (part: number, envelopes: Uint8Array[]) => Promise<void>,
  told: Told,
): Promise<Sealed> {
  const plan = planOf(blob.size);
  const sealing = await importKey(key);
  const digest = contentDigest();
  const total = plan.indexes + plan.count;
  const open = new Map<number, Uint8Array[]>();
  const put = async (position: number, envelope: Uint8Array): Promise<Uint8Array> => {
    const number = Math.floor(position / AT_ONCE);
    const part = open.get(number) ?? [];
    part[position % AT_ONCE] = envelope;
    open.set(number, part);
    if (part.filter(() => true).length === Math.min(AT_ONCE, total - number * AT_ONCE)) {
      open.delete(number);
      await took(number, part);
    }
    return envelopeId(envelope);
  };
  const ids: Uint8Array[] = [];
  for (let at = 0; at < plan.count; at++) {
    const piece = await pieceOf(blob, at);
    digest.update(piece);
    ids.push(await put(plan.indexes + at, await sealChunk(sealing, plan, at, piece)));
    told((at + 1) / plan.count);
  }
  const index: Uint8Array[] = [];
  for (const [at, piece] of indexPieces(plan, ids).entries())
    index.push(await put(at, await sealChunk(sealing, plan, plan.count + at, piece)));
  return { digest: digest.digest(), ids: [...index, ...ids] };
}

/** One part of a file once more; Refusal not_opened when the file is another one now. */
export async function sealPart(
  blob: Blob,
  plan: Plan,
  key: Uint8Array,
  ids: readonly Uint8Array[],
  part: number,
): Promise<Uint8Array[]> {
  const sealing = await importKey(key);
  const envelopes: Uint8Array[] = [];
  for (let at = part * AT_ONCE; at < Math.min(ids.length, (part + 1) * AT_ONCE); at++) {
    const number = at < plan.indexes ? plan.count + at : at - plan.indexes;
    const piece =
      at < plan.indexes ? indexPieces(plan, ids.slice(plan.indexes))[at]! : await pieceOf(blob, number);
    const envelope = await sealChunk(sealing, plan, number, piece);
    if (!equal(envelopeId(envelope), ids[at]!)) throw new Refusal("not_opened", "", 0);
    envelopes.push(envelope);
  }
  return envelopes;
}
