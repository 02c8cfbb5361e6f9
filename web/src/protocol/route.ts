/** Where an envelope may be left, and the puzzles strangers solve; as `card.py` and `messages.py` define them. */
import { bytes, map } from "./shape.ts";

/** One place that takes envelopes for somebody: the onion's public key, the mailbox, its capability. */
export interface Route {
  onion: Uint8Array;
  mailbox: Uint8Array;
  capability: Uint8Array;
}

/** An Argon2id puzzle: find a solution whose hash has `bits` leading zero bits. */
export interface WorkChallenge {
  challenge: Uint8Array;
  memory_kib: number;
  passes: number;
  bits: number;
  seconds: number;
}

/** The answer to a `WorkChallenge`. */
export interface WorkSolution {
  challenge: Uint8Array;
  solution: Uint8Array;
}

/** Reads a route. */
export const ROUTE = map({ onion: bytes(32), mailbox: bytes(20), capability: bytes(32) });
