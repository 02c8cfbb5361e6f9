/**
 * The first envelope, while the other side has not answered: 01 ‖ E(32) ‖ sealed Initial.
 *
 * It is sealed to the recipient's X25519 key by a one-time key E, so that nobody on the way sees who begins
 * a conversation with whom; the sender's certificate is inside.
 */
import * as aead from "./aead.ts";
import { concat } from "./bytes.ts";
import { decode, encode } from "./cbor.ts";
import { MAX_CERTIFICATE, readCertificate, type Certificate } from "./certificate.ts";
import { VERSION, check, pad, sizeFor, unpad } from "./envelope.ts";
import { KEM_CIPHERTEXT_SIZE, agree, agreementPublic, domain, hkdf, type Random } from "./keys.ts";
import type { OwnDevice } from "./pqxdh.ts";
import { encrypt, type State } from "./ratchet.ts";
import { refusing } from "./refusal.ts";
import type { Session } from "./session.ts";
import { bytes, integer, map, type Read } from "./shape.ts";

/** The smallest envelope a first message travels in: that of any other message. */
const LEAST_SIZE = 4032;
const LARGEST_SIZE = 16_320;
const HEAD = 1 + 32;
const OVERHEAD = HEAD + aead.TAG_SIZE;
const NONCE = new Uint8Array(aead.NONCE_SIZE);
const U32 = 0xffff_ffff;

const INITIAL = map({
  certificate: bytes(0, MAX_CERTIFICATE),
  ephemeral: bytes(32),
  prekey_id: integer(1, U32),
  one_time_id: integer(0, U32),
  kem_ciphertext: bytes(KEM_CIPHERTEXT_SIZE),
  message: bytes(0, LARGEST_SIZE),
});

/** What a first envelope holds, its certificate verified. */
export interface Initial extends Omit<Read<typeof INITIAL>, "certificate"> {
  readonly certificate: Certificate;
}

/** A first envelope of a session that has no answer yet, to the device with this X25519 key; Refusal wrong_size, bad_bundle. */
export function sealInitial(
  session: Session,
  their: Uint8Array,
  certificate: Uint8Array,
  payload: Uint8Array,
  random: Random,
): { state: State; envelope: Uint8Array } {
  // The outer padding hides the length: one octet of the inner one is enough.
  const { state, message } = encrypt(session.ratchet, pad(payload, payload.length + 1), random);
  const content = encode({ certificate, ...session.initiation, message });
  const size = sizeFor(content.length, OVERHEAD, LEAST_SIZE);
  const seed = random(32);
  const ephemeral = agreementPublic(seed);
  // The bit that every X25519 public key has at zero would tell first envelopes from others.
  ephemeral[31]! |= seed[31]! & 0x80;
  const head = concat(Uint8Array.of(VERSION), ephemeral);
  const secret = refusing("bad_bundle", () => agree(seed, their));
  const key = layerKey(secret, ephemeral, their);
  const sealed = aead.sealWith(key, NONCE, head, pad(content, size - OVERHEAD));
  return { state, envelope: concat(head, sealed) };
}

/**
 * What a first envelope to this device holds; undefined when it is none. `hour` is that of its arrival.
 *
 * Refusal bad_message when its sender cannot be believed.
 */
export function openInitial(own: OwnDevice, envelope: Uint8Array, hour: number): Initial | undefined {
  check(envelope);
  const padded = openLayer(own, envelope);
  if (!padded) return undefined;
  const initial = refusing("bad_message", () => INITIAL(decode(unpad(padded))));
  return { ...initial, certificate: readCertificate(initial.certificate, hour) };
}

function openLayer(own: OwnDevice, envelope: Uint8Array): Uint8Array | undefined {
  const ephemeral = envelope.subarray(1, HEAD);
  try {
    const key = layerKey(agree(own.agreement, ephemeral), ephemeral, agreementPublic(own.agreement));
    return aead.openWith(key, NONCE, envelope.subarray(0, HEAD), envelope.subarray(HEAD));
  } catch {
    return undefined;
  }
}

function layerKey(secret: Uint8Array, ephemeral: Uint8Array, their: Uint8Array): Uint8Array {
  return hkdf(secret, new Uint8Array(), concat(domain("first"), ephemeral, their), 32);
}
