/** The vault on the wire: sealed records under blind ids, changed in batches by compare-and-swap. As `appliance/protocol/vault.py` has them. */
import type { Dispatch, DispatchState } from "./post.ts";

/** Octets of one sealed record. */
export const MAX_RECORD = 256 * 1024;

/** Records in one batch, written or read. */
export const MAX_CHANGES = 512;

/** Dispatches that leave with one batch. */
export const MAX_DISPATCHES = 16;

/** Write a record whose version is `base` now (0: there is none); it becomes `base + 1`. */
export interface Put {
  id: Uint8Array;
  base: number;
  data: Uint8Array;
}

/** Remove a record whose version is `base` now. */
export interface Remove {
  id: Uint8Array;
  base: number;
}

/**
 * All of it or nothing; Refusal vault_conflict (details: ids) when a base is not the present version.
 *
 * `dispatches` leave in the same commit, never without the change; each has its own answer, and one that is
 * refused keeps nothing back. `done`: what was read of the device's queue is settled.
 */
export interface Change {
  put?: Put[];
  remove?: Remove[];
  dispatches?: Dispatch[];
  done?: number[];
}

/** What became of one dispatch: its state, or the code of the refusal. */
export interface Left {
  state: DispatchState | null;
  refused: string | null;
}

/** The vault's revision after the change, which rises by one with each; `left` in the order given. */
export interface Changed {
  revision: number;
  left: Left[];
}

/** A record as it is now: `revision` of its last change; `data` None for one that was removed. */
export interface SealedRecord {
  id: Uint8Array;
  version: number;
  revision: number;
  data: Uint8Array | null;
}

/** Read some records by id. */
export interface Read {
  ids: Uint8Array[];
}

/** Records in the order of their revisions; `more` when the answer would have grown too large. */
export interface Records {
  revision: number;
  records: SealedRecord[];
  more: boolean;
  octets: number;
  octets_limit: number;
}
