/**
 * The message of a channel: what a device posts there, sealed by its chain of sender keys and signed.
 *
 *     message = 01 ‖ chain id(16) ‖ iteration(u32) ‖ commitment(32) ‖ nonce(24) ‖ ciphertext ‖ signature(64)
 *
 * The commitment ties the message to one chain key: two members who were given different ones cannot be made to read
 * different things in it. The signature is the chain's, so no member can write in another's name.
 */
import { NONCE_SIZE, TAG_SIZE, openWith, sealWith } from "./aead.ts";
import { concat, equal, readU32, u32 } from "./bytes.ts";
import { MAX_ITERATIONS } from "./content.ts";
import { SIZES, pad, padme, sizeFor, unpad } from "./envelope.ts";
import { SIGNATURE_SIZE, domain, mac, sign, type Random } from "./keys.ts";
import type { Claim } from "./manySignatures.ts";
import { may, type State } from "./membership.ts";
import { Refusal, refusing } from "./refusal.ts";
import {
  idOf,
  walk,
  type Chain,
  type Ladder,
  type ReceivingChain,
  type SendingChain,
  type Step,
} from "./senderKey.ts";

export const VERSION = 1;
/** Octets of what one message says. */
export const MAX_PAYLOAD = 65_536;

const CONTEXT = "channel";
const KEY = domain("channel message");
const COMMIT = domain("channel commitment");
const HEAD = 77;
const LARGEST = SIZES.at(-1)!;
/** Octets of a message that are neither payload nor padding. */
export const OVERHEAD = HEAD + TAG_SIZE + SIGNATURE_SIZE;
export const MAX_MESSAGE = OVERHEAD + padme(MAX_PAYLOAD + 1);

/** A message taken apart; `signed` is all but the signature. */
export interface Parts {
  readonly chain: Uint8Array;
  readonly iteration: number;
  readonly commitment: Uint8Array;
  readonly nonce: Uint8Array;
  readonly sealed: Uint8Array;
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

/** The payload octets that fit a message of this size. */
export function room(size: number): number {
  return size - OVERHEAD - 1;
}

/** Of how many octets the message with so many of payload is; Refusal too_large. */
export function messageSize(octets: number): number {
  if (octets > MAX_PAYLOAD) throw new Refusal("too_large");
  return octets <= room(LARGEST) ? sizeFor(octets, OVERHEAD) : OVERHEAD + padme(octets + 1);
}

/** Refusal wrong_size or unknown_version; all that the box can know of a message. */
export function check(message: Uint8Array): void {
  const octets = message.length;
  const padded = octets - OVERHEAD;
  const large = octets > LARGEST && octets <= MAX_MESSAGE && padme(padded) === padded;
  if (!large && !(SIZES as readonly number[]).includes(octets)) throw new Refusal("wrong_size");
  if (message[0] !== VERSION) throw new Refusal("unknown_version");
}

/** The parts of a message; Refusal unknown_version, bad_message. */
export function parse(message: Uint8Array): Parts {
  const newer = message.length > 0 && message[0]! > VERSION;
  try {
    check(message);
  } catch (error) {
    if (newer && (error as Refusal).code === "unknown_version") throw error;
    throw new Refusal("bad_message");
  }
  const iteration = readU32(message, 17);
  if (iteration >= MAX_ITERATIONS) throw new Refusal("bad_message");
  return {
    chain: message.subarray(1, 17),
    iteration,
    commitment: message.subarray(21, 53),
    nonce: message.subarray(53, HEAD),
    sealed: message.subarray(HEAD, -SIGNATURE_SIZE),
    signed: message.subarray(0, -SIGNATURE_SIZE),
    signature: message.subarray(-SIGNATURE_SIZE),
  };
}

/**
 * The next message, posted in this state of the roster.
 *
 * Refusals: not_member (or closed), wrong_state (the chain is used up, or older than the last removal), too_large.
 */
export function seal(
  sending: SendingChain,
  state: State,
  payload: Uint8Array,
  random: Random,
): { chain: SendingChain; message: Uint8Array<ArrayBuffer> } {
  const { chain, step } = sending;
  if (!may(state, chain.identity, "post")) throw new Refusal("not_member");
  if (step.iteration >= MAX_ITERATIONS || chain.since < state.cut) throw new Refusal("wrong_state");
  const padded = pad(payload, messageSize(payload.length) - OVERHEAD);
  const bound = boundTo(state, chain);
  const nonce = random(NONCE_SIZE);
  const commitment = mac(step.key, COMMIT);
  const head = concat(Uint8Array.of(VERSION), idOf(chain), u32(step.iteration), commitment, nonce);
  const signed = concat(head, sealWith(mac(step.key, KEY), nonce, concat(bound, head), padded));
  const signature = sign(sending.seed, CONTEXT, concat(bound, signed));
  const after = { ...sending, step: walk(step, step.iteration + 1) };
  return { chain: after, message: concat(signed, signature) };
}

/**
 * That a member's device may have posted this in this state of the roster, in this chain (found by its id), if the
 * signature that is told is good.
 *
 * Refusals: not_member, old_roster (the chain was made before the last removal), bad_message.
 */
export function claim(chain: Chain, state: State, parts: Parts): Claim {
  if (!equal(chain.channel, state.channel) || chain.since > state.number) throw new Refusal("bad_message");
  if (!may(state, chain.identity, "post")) throw new Refusal("not_member");
  if (chain.since < state.cut) throw new Refusal("old_roster");
  const message = concat(boundTo(state, chain), parts.signed);
  return { key: chain.signing, signature: parts.signature, context: CONTEXT, message };
}

/**
 * What a verified message says, that stands in the log under this number.
 *
 * Read for the first time its iteration is at least the head's, and the head goes behind it; again, it is below the
 * head's. Refusals: repeated, out_of_step (from before the base: not for us), bad_message.
 */
export function openParts(
  known: ReceivingChain,
  state: State,
  number: number,
  parts: Parts,
  ladder?: Ladder,
): { chain: ReceivingChain; payload: Uint8Array } {
  const { iteration } = parts;
  const again = number <= known.last;
  if (iteration < known.base.iteration) throw new Refusal("out_of_step");
  if (again !== iteration < known.head.iteration) throw new Refusal("repeated");
  if (again) {
    const step = ladder ? ladder.at(iteration) : walk(known.base, iteration);
    return { chain: known, payload: openAt(step, known.chain, state, parts) };
  }
  const step = walk(known.head, iteration);
  const payload = openAt(step, known.chain, state, parts);
  return { chain: { ...known, head: walk(step, iteration + 1), last: number }, payload };
}

function openAt(step: Step, chain: Chain, state: State, parts: Parts): Uint8Array {
  if (!equal(mac(step.key, COMMIT), parts.commitment)) throw new Refusal("bad_message");
  const bound = concat(boundTo(state, chain), parts.signed.subarray(0, HEAD));
  const padded = openWith(mac(step.key, KEY), parts.nonce, bound, parts.sealed);
  if (!padded) throw new Refusal("bad_message");
  return refusing("bad_message", () => unpad(padded));
}

function boundTo(state: State, chain: Chain): Uint8Array {
  return concat(
    domain("channel"),
    state.channel,
    u32(state.number),
    state.hash,
    chain.identity,
    chain.device,
  );
}
