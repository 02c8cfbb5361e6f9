/**
 * Everything kept about one device of somebody else: the session that sends and up to four older ones.
 *
 * Both sides may begin at once: the session that received last becomes the one that sends, at both ends.
 */
import { equal } from "./bytes.ts";
import type { Value } from "./cbor.ts";
import type { Bundle, Device, OneTimePrekey } from "./directory.ts";
import { check, sizeFor } from "./envelope.ts";
import { sealInitial } from "./initial.ts";
import { KEM_CIPHERTEXT_SIZE, agreementPublic, encapsulate, type Random } from "./keys.ts";
import { initiate, kemKey, type Encapsulated, type OwnDevice } from "./pqxdh.ts";
import * as ratchet from "./ratchet.ts";
import { Refusal, refusing } from "./refusal.ts";
import * as session from "./session.ts";
import type { Session } from "./session.ts";
import { bytes, integer, list, map, optional, type Shape } from "./shape.ts";
import { MAX_KEPT } from "./skipped.ts";

/** A device of somebody else; the first session sends, all receive. */
export interface Peer {
  readonly version: 1;
  readonly identity: Uint8Array;
  readonly device: Uint8Array;
  readonly agreement: Uint8Array;
  readonly sessions: readonly Session[];
}

const MAX_SESSIONS = 5;
const USUAL_SIZE = 4032;
const LARGE_SIZE = 16_320;
const SMALL_SIZE = 960;
/** Octets of payload in an envelope of a session. */
export const SMALL_ROOM = SMALL_SIZE - session.OVERHEAD - 1;
export const USUAL_ROOM = USUAL_SIZE - session.OVERHEAD - 1;
export const LARGE_ROOM = LARGE_SIZE - session.OVERHEAD - 1;

/** A device nothing was exchanged with yet. */
export function makePeer(identity: Uint8Array, device: Device): Peer {
  return { version: 1, identity, device: device.device, agreement: device.agreement, sessions: [] };
}

/** Whether something can be sent to this device. */
export function hasSession(peer: Peer): boolean {
  return peer.sessions.length > 0;
}

/** A new session that sends, from the device's prekeys as the directory has them; Refusal bad_bundle. */
export function begin(
  peer: Peer,
  own: OwnDevice,
  bundle: Bundle,
  oneTime: OneTimePrekey | null,
  hour: number,
  random: Random,
): Peer {
  const ephemeral = random(32);
  const pair = random(32);
  const kem = refusing("bad_bundle", () => encapsulate(kemKey(bundle, oneTime), random(32)));
  return beginWith(peer, own, bundle, oneTime, hour, { ephemeral, pair, kem });
}

/** The same with its randomness given: seeds of the ephemeral and the first ratchet key, and the KEM's result. */
export function beginWith(
  peer: Peer,
  own: OwnDevice,
  bundle: Bundle,
  oneTime: OneTimePrekey | null,
  hour: number,
  fresh: { ephemeral: Uint8Array; pair: Uint8Array; kem: Encapsulated },
): Peer {
  if (!equal(bundle.identity, peer.identity) || !equal(bundle.device, peer.device))
    throw new Refusal("bad_bundle");
  const agreed = initiate(own, peer, bundle, oneTime, fresh.ephemeral, fresh.kem);
  const ephemeral = agreementPublic(fresh.ephemeral);
  const begun: Session = {
    ephemeral,
    started_hour: hour,
    signals_out: agreed.initiator_signals,
    signals_in: agreed.responder_signals,
    ratchet: ratchet.beginAsInitiator(agreed, bundle.prekey, fresh.pair),
    initiation: {
      ephemeral,
      prekey_id: bundle.prekey_id,
      one_time_id: oneTime?.id ?? 0,
      kem_ciphertext: fresh.kem.ciphertext,
    },
  };
  return withFirst(peer, begun);
}

/** Make ahead what can be of the next `seal`. */
export function prepare(peer: Peer): void {
  const [current] = peer.sessions;
  if (current) ratchet.prepare(current.ratchet);
}

/**
 * An envelope with this payload, and the peer to be saved before it leaves.
 *
 * "small" is for receipts and reactions; a first envelope is never small. Refusal wrong_state without a
 * session, wrong_size.
 */
export function seal(
  peer: Peer,
  certificate: Uint8Array,
  payload: Uint8Array,
  size: "small" | "usual",
  random: Random,
): { peer: Peer; envelope: Uint8Array } {
  const [current, ...older] = peer.sessions;
  if (!current) throw new Refusal("wrong_state");
  if (current.initiation) {
    const { state, envelope } = sealInitial(current, peer.agreement, certificate, payload, random);
    return { peer: { ...peer, sessions: [{ ...current, ratchet: state }, ...older] }, envelope };
  }
  const small = size === "small" && payload.length <= SMALL_ROOM;
  const octets = small ? SMALL_SIZE : sizeFor(payload.length, session.OVERHEAD, USUAL_SIZE);
  const sealed = session.seal(current, payload, octets, random);
  return { peer: { ...peer, sessions: [sealed.session, ...older] }, envelope: sealed.envelope };
}

/**
 * The payload of an envelope in one of the peer's sessions; undefined when it is of none of them.
 *
 * Refusal repeated, out_of_step or bad_message when it is this peer's and cannot be read.
 */
export function open(
  peer: Peer,
  envelope: Uint8Array,
  hour: number,
  random: Random,
): { peer: Peer; payload: Uint8Array } | undefined {
  check(envelope);
  return openMessage(peer, peer.sessions, envelope.subarray(1), hour, random);
}

/** The same for header ‖ nonce ‖ ciphertext and some of the sessions. */
export function openMessage(
  peer: Peer,
  among: readonly Session[],
  message: Uint8Array,
  hour: number,
  random: Random,
): { peer: Peer; payload: Uint8Array } | undefined {
  for (const each of among) {
    const opened = session.open(each, message, hour, random);
    if (!opened) continue;
    const sessions = peer.sessions.map((one) => (one === each ? opened.session : one));
    const after = { ...peer, sessions };
    // What is older than messages seen before says nothing about which session the other side uses now.
    return { peer: opened.late ? after : withFirst(after, opened.session), payload: opened.payload };
  }
  return undefined;
}

/** With this session, new or known, as the one that sends. */
export function withFirst(peer: Peer, first: Session): Peer {
  const others = peer.sessions.filter((one) => one !== first).slice(0, MAX_SESSIONS - 1);
  return { ...peer, sessions: [first, ...others.map(session.retire)] };
}

const KEY = bytes(32);
const COUNT = integer(0, 0xffff_ffff);
const NUMBERED: Shape<readonly [number, Uint8Array]> = (value) => {
  if (!Array.isArray(value) || value.length !== 2) throw new Refusal("malformed");
  const [number, key] = value as Value[];
  return [COUNT(number), KEY(key)];
};
const KEPT = map({ header: KEY, hour: COUNT, keys: list(NUMBERED, MAX_KEPT) });
const ONE: Shape<1> = (value) => {
  if (value === 1) return value;
  throw new Refusal(typeof value === "number" && value > 1 ? "unknown_version" : "malformed");
};
const STATE = map({
  version: ONE,
  associated: KEY,
  pair: KEY,
  remote: optional(KEY),
  root: KEY,
  send: optional(KEY),
  receive: optional(KEY),
  send_header: optional(KEY),
  receive_header: optional(KEY),
  next_send_header: KEY,
  next_receive_header: KEY,
  sent: COUNT,
  received: COUNT,
  previous: COUNT,
  kept: list(KEPT, MAX_KEPT),
});
const INITIATION = map({
  ephemeral: KEY,
  prekey_id: COUNT,
  one_time_id: COUNT,
  kem_ciphertext: bytes(KEM_CIPHERTEXT_SIZE),
});
const SESSION = map({
  ephemeral: KEY,
  started_hour: COUNT,
  signals_out: KEY,
  signals_in: KEY,
  ratchet: STATE,
  initiation: optional(INITIATION),
});
const PEER = map({
  version: ONE,
  identity: KEY,
  device: bytes(16),
  agreement: KEY,
  sessions: list(SESSION, MAX_SESSIONS),
});

/** A peer as it was stored (`encode(peer)`); Refusal malformed or unknown_version. */
export function readPeer(value: Value): Peer {
  return PEER(value);
}
