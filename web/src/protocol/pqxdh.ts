/** Session set-up: PQXDH as Signal describes it, with Ed25519 identities that sign everything beside the agreement. */
import { concat } from "./bytes.ts";
import { encode } from "./cbor.ts";
import type { Bundle, OneTimePrekey } from "./directory.ts";
import { agree, agreementPublic, decapsulate, derive, domain, hash, hkdf } from "./keys.ts";
import { refusing } from "./refusal.ts";

/** One device of one account as both ends of a session name it: public keys only. */
export interface Party {
  readonly identity: Uint8Array;
  readonly device: Uint8Array;
  readonly agreement: Uint8Array;
}

/** This device; `agreement` is its secret X25519 seed, `identity` the account's public key. */
export interface OwnDevice {
  readonly identity: Uint8Array;
  readonly device: Uint8Array;
  readonly agreement: Uint8Array;
}

/** What both ends know after the set-up. */
export interface Agreed {
  readonly root: Uint8Array;
  /** The initiator's first sending header key, and the responder's. */
  readonly initiator_header: Uint8Array;
  readonly responder_header: Uint8Array;
  readonly initiator_signals: Uint8Array;
  readonly responder_signals: Uint8Array;
  readonly associated: Uint8Array;
}

/** A KEM secret and the ciphertext that carries it. */
export interface Encapsulated {
  readonly secret: Uint8Array;
  readonly ciphertext: Uint8Array;
}

/** What the responder used: seeds, and which they were (`one_time_id` 0 for none). */
export interface UsedSecrets {
  readonly prekey_id: number;
  readonly prekey: Uint8Array;
  readonly one_time_id: number;
  readonly one_time: Uint8Array | null;
  readonly kem: Uint8Array;
}

const ZERO_SALT = new Uint8Array(32);
/** Signal's discontinuity bytes: no X25519 result begins so. */
const FIRST = new Uint8Array(32).fill(0xff);
const SESSION_VERSION = 1;

/** The public party of this device. */
export function partyOf(own: OwnDevice): Party {
  return { identity: own.identity, device: own.device, agreement: agreementPublic(own.agreement) };
}

/** The KEM key an initiator encapsulates to: the one-time prekey's, else the last resort. */
export function kemKey(bundle: Bundle, oneTime: OneTimePrekey | null): Uint8Array {
  return oneTime ? oneTime.kem : bundle.kem;
}

/** The initiator's side; `ephemeral` is a fresh X25519 seed. Refusal bad_bundle for keys of low order. */
export function initiate(
  own: OwnDevice,
  their: Party,
  bundle: Bundle,
  oneTime: OneTimePrekey | null,
  ephemeral: Uint8Array,
  kem: Encapsulated,
): Agreed {
  const secrets = refusing("bad_bundle", () => [
    agree(own.agreement, bundle.prekey),
    agree(ephemeral, their.agreement),
    agree(ephemeral, bundle.prekey),
    ...(oneTime ? [agree(ephemeral, oneTime.key)] : []),
  ]);
  const ids = [bundle.prekey_id, oneTime?.id ?? 0] as const;
  const associated = associate(partyOf(own), their, kemKey(bundle, oneTime), ...ids);
  return split(concat(FIRST, ...secrets, kem.secret), associated);
}

/** The responder's side; `ephemeral` and `ciphertext` are the initiator's. Refusal bad_message. */
export function respond(
  own: OwnDevice,
  their: Party,
  used: UsedSecrets,
  ephemeral: Uint8Array,
  ciphertext: Uint8Array,
): Agreed {
  const secrets = refusing("bad_message", () => [
    agree(used.prekey, their.agreement),
    agree(own.agreement, ephemeral),
    agree(used.prekey, ephemeral),
    ...(used.one_time ? [agree(used.one_time, ephemeral)] : []),
  ]);
  const kem = decapsulate(used.kem, ciphertext);
  const associated = associate(their, partyOf(own), kem.public, used.prekey_id, used.one_time_id);
  return split(concat(FIRST, ...secrets, kem.secret), associated);
}

/** Both ends and all keys, so that no message of this session can be read as one of another. */
function associate(a: Party, b: Party, kem: Uint8Array, prekeyId: number, oneTimeId: number): Uint8Array {
  const ends = [a.identity, a.device, a.agreement, b.identity, b.device, b.agreement];
  return hash(domain("session"), encode([SESSION_VERSION, ...ends, hash(kem), prekeyId, oneTimeId]));
}

function split(secret: Uint8Array, associated: Uint8Array): Agreed {
  const keys = hkdf(secret, ZERO_SALT, domain("pqxdh"), 128);
  const signals = keys.subarray(96);
  return {
    root: keys.slice(0, 32),
    initiator_header: keys.slice(32, 64),
    responder_header: keys.slice(64, 96),
    initiator_signals: derive(signals, "signals from initiator"),
    responder_signals: derive(signals, "signals from responder"),
    associated,
  };
}
