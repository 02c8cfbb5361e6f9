/** A session with one device: a ratchet, the keys of its passing signals, and how it was begun. */
import { concat } from "./bytes.ts";
import { VERSION, pad, unpad } from "./envelope.ts";
import type { Random } from "./keys.ts";
import * as ratchet from "./ratchet.ts";
import { refusing } from "./refusal.ts";
import * as skipped from "./skipped.ts";

/** What every first envelope repeats until an answer came. */
export interface Initiation {
  readonly ephemeral: Uint8Array;
  readonly prekey_id: number;
  readonly one_time_id: number;
  readonly kem_ciphertext: Uint8Array;
}

/** One session; `ephemeral` (the initiator's public key) is its name at both ends. */
export interface Session {
  readonly ephemeral: Uint8Array;
  readonly started_hour: number;
  readonly signals_out: Uint8Array;
  readonly signals_in: Uint8Array;
  readonly ratchet: ratchet.State;
  /** There while the other side has not answered. */
  readonly initiation?: Initiation | undefined;
}

/** Octets of an envelope that are neither payload nor padding: version, header, nonce, tag. */
export const OVERHEAD = 1 + ratchet.OVERHEAD;

/** A message that was read in a session; `late` when newer ones of its chain had been. */
export interface Opened {
  readonly session: Session;
  readonly payload: Uint8Array;
  readonly late: boolean;
}

/** An envelope of `size` with this payload. */
export function seal(
  session: Session,
  payload: Uint8Array,
  size: number,
  random: Random,
): { session: Session; envelope: Uint8Array } {
  const { state, message } = ratchet.encrypt(session.ratchet, pad(payload, size - OVERHEAD), random);
  return { session: { ...session, ratchet: state }, envelope: concat(Uint8Array.of(VERSION), message) };
}

/** The payload of header ‖ nonce ‖ ciphertext; undefined when it is not of this session. Refusal as `ratchet.decrypt`. */
export function open(
  session: Session,
  message: Uint8Array,
  hour: number,
  random: Random,
): Opened | undefined {
  const read = ratchet.decrypt(session.ratchet, message, hour, random);
  if (!read) return undefined;
  const payload = refusing("bad_message", () => unpad(read.content));
  const { initiation: _, ...answered } = session;
  return { session: { ...answered, ratchet: read.state }, payload, late: read.late };
}

/** A session that only receives from now on keeps fewer keys. */
export function retire(session: Session): Session {
  const kept = skipped.bounded(session.ratchet.kept, skipped.MAX_KEPT_OLDER);
  return kept === session.ratchet.kept ? session : { ...session, ratchet: { ...session.ratchet, kept } };
}
