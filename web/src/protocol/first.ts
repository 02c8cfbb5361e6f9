/** First messages as they arrive: the session that a stranger or a contact begins, and the memory against repeats. */
import { equal } from "./bytes.ts";
import type { Certificate } from "./certificate.ts";
import type { Initial } from "./initial.ts";
import { hash, type Random } from "./keys.ts";
import { openMessage, withFirst, type Peer } from "./peer.ts";
import { respond, type OwnDevice, type UsedSecrets } from "./pqxdh.ts";
import type { LastingSecret, OneTimeSecret } from "./prekeys.ts";
import { beginAsResponder } from "./ratchet.ts";
import { Refusal } from "./refusal.ts";
import type { Session } from "./session.ts";

export { openInitial as openFirst, type Initial } from "./initial.ts";

/** The secrets of one's own prekeys: lasting ones of the last 30 days, one-time ones by id. */
export interface PrekeySecrets {
  readonly lasting: readonly LastingSecret[];
  one_time(id: number): OneTimeSecret | undefined;
}

/**
 * A first message read: save `peer`, remove the one-time prekey (0: none) and remember the mark (null: none),
 * all in one change.
 */
export interface Accepted {
  readonly peer: Peer;
  readonly payload: Uint8Array;
  readonly one_time_id: number;
  readonly mark: Uint8Array | null;
}

/** Marks of first messages that used the last-resort key, newest last. */
export type Replays = readonly { readonly mark: Uint8Array; readonly hour: number }[];

const MAX_REPLAYS = 2048;
/** Longer than the secret of a last-resort key is kept after it was shown last. */
const REPLAY_HOURS = 38 * 24;

/**
 * The message of a first envelope; `peer` is what is known of the sender's device, null for nothing.
 *
 * Refusal out_of_step when the prekey is gone, bad_message, repeated.
 */
export function accept(
  own: OwnDevice,
  initial: Initial,
  secrets: PrekeySecrets,
  peer: Peer | null,
  hour: number,
  random: Random,
): Accepted {
  const { certificate } = initial;
  const known = peer ?? stranger(initial);
  if (!isFrom(known, certificate)) throw new Refusal("bad_message");
  const current = known.sessions.filter((one) => equal(one.ephemeral, initial.ephemeral));
  if (current.length > 0) {
    const opened = openMessage(known, current, initial.message, hour, random);
    if (!opened) throw new Refusal("out_of_step");
    return { ...opened, one_time_id: 0, mark: null };
  }
  const used = choose(initial, secrets);
  const begun = answer(own, initial, used, hour);
  const opened = openMessage(withFirst(known, begun), [begun], initial.message, hour, random);
  if (!opened) throw new Refusal("bad_message");
  const mark = used.one_time ? null : hash(initial.ephemeral, initial.kem_ciphertext);
  return { ...opened, one_time_id: used.one_time_id, mark };
}

/** With one more mark; Refusal repeated when it is there already. What is too old or too much goes. */
export function remember(replays: Replays, mark: Uint8Array, hour: number): Replays {
  if (replays.some((one) => equal(one.mark, mark))) throw new Refusal("repeated");
  const fresh = replays.filter((one) => one.hour + REPLAY_HOURS > hour);
  return [...fresh, { mark, hour }].slice(-MAX_REPLAYS);
}

function isFrom(peer: Peer, { identity, device, agreement }: Certificate): boolean {
  return equal(peer.identity, identity) && equal(peer.device, device) && equal(peer.agreement, agreement);
}

function stranger({ certificate }: Initial): Peer {
  const { identity, device, agreement } = certificate;
  return { version: 1, identity, device, agreement, sessions: [] };
}

function choose(initial: Initial, secrets: PrekeySecrets): UsedSecrets {
  const lasting = secrets.lasting.find((one) => one.prekey_id === initial.prekey_id);
  const id = initial.one_time_id;
  const oneTime = id === 0 ? null : secrets.one_time(id);
  if (!lasting || oneTime === undefined) throw new Refusal("out_of_step");
  return {
    prekey_id: lasting.prekey_id,
    prekey: lasting.prekey,
    one_time_id: id,
    one_time: oneTime && oneTime.prekey,
    kem: oneTime ? oneTime.kem : lasting.kem,
  };
}

function answer(own: OwnDevice, initial: Initial, used: UsedSecrets, hour: number): Session {
  const agreed = respond(own, initial.certificate, used, initial.ephemeral, initial.kem_ciphertext);
  return {
    ephemeral: initial.ephemeral,
    started_hour: hour,
    signals_out: agreed.responder_signals,
    signals_in: agreed.initiator_signals,
    ratchet: beginAsResponder(agreed, used.prekey),
  };
}
