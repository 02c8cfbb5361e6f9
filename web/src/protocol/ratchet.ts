/**
 * The Double Ratchet with header encryption, as Signal's document describes it; names follow that document.
 *
 * | Signal          | here                  | what                                                     |
 * |-----------------|-----------------------|----------------------------------------------------------|
 * | DHs, DHr        | pair, remote          | own ratchet seed, their ratchet public key               |
 * | RK              | root                  | root key                                                 |
 * | CKs, CKr        | send, receive         | chain keys                                               |
 * | HKs, HKr        | send_header, …        | header keys, and next_… those after the next step        |
 * | Ns, Nr, PN      | sent, received, previous | numbers in the chains, length of the last sending one |
 * | MKSKIPPED       | kept                  | keys of messages that were skipped                       |
 *
 * A state is never changed: functions give a new one, and only after the message was verified. Nonces are
 * random, so that a state that was set back never uses one key and nonce for two messages.
 */
import * as aead from "./aead.ts";
import { concat, readU32, u32 } from "./bytes.ts";
import { agree, agreementPublic, derive, domain, hkdf, mac, type Random } from "./keys.ts";
import type { Agreed } from "./pqxdh.ts";
import * as skipped from "./skipped.ts";
import { Refusal, refusing } from "./refusal.ts";
import type { Kept } from "./skipped.ts";

/** Keys one chain may skip at once. */
export const MAX_SKIP = 1000;
/** Octets of an encrypted header: nonce 24, ratchet key 32, two numbers of 4, tag 16. */
export const HEADER_SIZE = 80;

/** Octets of a message that are not content. */
export const OVERHEAD = HEADER_SIZE + aead.NONCE_SIZE + aead.TAG_SIZE;

const MAX_NUMBER = 0xffff_ffff;
const MESSAGE_STEP = Uint8Array.of(1);
const CHAIN_STEP = Uint8Array.of(2);

/** One end of a ratchet. */
export interface State {
  readonly version: 1;
  readonly associated: Uint8Array;
  readonly pair: Uint8Array;
  readonly remote?: Uint8Array | undefined;
  readonly root: Uint8Array;
  readonly send?: Uint8Array | undefined;
  readonly receive?: Uint8Array | undefined;
  readonly send_header?: Uint8Array | undefined;
  readonly receive_header?: Uint8Array | undefined;
  readonly next_send_header: Uint8Array;
  readonly next_receive_header: Uint8Array;
  readonly sent: number;
  readonly received: number;
  readonly previous: number;
  readonly kept: readonly Kept[];
}

/** A message that was read; `late` when it was older than what had been seen of its chain. */
export interface Decrypted {
  readonly state: State;
  readonly content: Uint8Array;
  readonly late: boolean;
}

interface Header {
  readonly remote: Uint8Array;
  readonly previous: number;
  readonly number: number;
}

/** The initiator's first state; `pair` is a fresh seed, `prekey` the responder's signed prekey. Refusal bad_bundle. */
export function beginAsInitiator(agreed: Agreed, prekey: Uint8Array, pair: Uint8Array): State {
  const step = refusing("bad_bundle", () => stepRoot(agreed.root, pair, prekey));
  return {
    version: 1,
    associated: agreed.associated,
    pair,
    remote: prekey,
    root: step.root,
    send: step.chain,
    send_header: agreed.initiator_header,
    next_send_header: step.nextHeader,
    next_receive_header: agreed.responder_header,
    sent: 0,
    received: 0,
    previous: 0,
    kept: [],
  };
}

/** The responder's first state; `prekey` is the seed of the signed prekey. It cannot send before it received. */
export function beginAsResponder(agreed: Agreed, prekey: Uint8Array): State {
  return {
    version: 1,
    associated: agreed.associated,
    pair: prekey,
    root: agreed.root,
    next_send_header: agreed.responder_header,
    next_receive_header: agreed.initiator_header,
    sent: 0,
    received: 0,
    previous: 0,
    kept: [],
  };
}

/** header(80) ‖ nonce(24) ‖ ciphertext, and the state after it; Refusal wrong_state before anything was received. */
export function encrypt(
  state: State,
  content: Uint8Array,
  random: Random,
): { state: State; message: Uint8Array } {
  if (!state.send || !state.send_header || state.sent >= MAX_NUMBER) throw new Refusal("wrong_state");
  const { public: own, key, next } = take(state, state.send);
  const plain = concat(own, u32(state.previous), u32(state.sent));
  const header = aead.seal(state.send_header, state.associated, plain, random);
  const body = aead.seal(key, concat(state.associated, header), content, random);
  const after = { ...state, send: next, sent: state.sent + 1 };
  return { state: after, message: concat(header, body) };
}

/** What the next message takes but its content and its nonces. */
interface Prepared {
  readonly public: Uint8Array;
  readonly key: Uint8Array;
  readonly next: Uint8Array;
}

/** No longer there than the state it is of, from which it could be made at any time; and gone when it was used. */
const prepared = new WeakMap<State, Prepared>();
/** Ratchet public keys by their seeds: a chain sends one and the same with every message. */
const publics = new WeakMap<Uint8Array, Uint8Array>();

/** Make ahead what the next `encrypt` of this state takes. */
export function prepare(state: State): void {
  if (state.send && !prepared.has(state)) prepared.set(state, makeKeys(state, state.send));
}

function take(state: State, chain: Uint8Array): Prepared {
  const keys = prepared.get(state) ?? makeKeys(state, chain);
  prepared.delete(state);
  return keys;
}

function makeKeys({ pair }: State, chain: Uint8Array): Prepared {
  const own = publics.get(pair) ?? agreementPublic(pair);
  publics.set(pair, own);
  return { public: own, key: derive(messageKey(chain), "message"), next: nextChain(chain) };
}

/**
 * The content of a message, and the state after it; undefined when its header opens with no key of this state.
 *
 * Refusal repeated, out_of_step (too many skipped) or bad_message. `hour` is the present one.
 */
export function decrypt(
  state: State,
  message: Uint8Array,
  hour: number,
  random: Random,
): Decrypted | undefined {
  if (message.length < OVERHEAD) return undefined;
  const fresh = { ...state, kept: skipped.dropAged(state.kept, hour) };
  const sealed = message.subarray(0, HEADER_SIZE);
  const inChain = openHeader(fresh, fresh.receive_header, sealed);
  if (inChain) return readInChain(fresh, inChain, message, hour);
  const inNext = openHeader(fresh, fresh.next_receive_header, sealed);
  if (inNext) return readInChain(step(fresh, inNext, hour, random), inNext, message, hour);
  for (const header of skipped.headers(fresh.kept)) {
    const late = openHeader(fresh, header, sealed);
    if (late) return readKept(fresh, header, late, message);
  }
  return undefined;
}

/** A message of the present receiving chain: its key is ahead, or was kept when later ones came first. */
function readInChain(state: State, header: Header, message: Uint8Array, hour: number): Decrypted {
  if (header.number < state.received) return readKept(state, state.receive_header!, header, message);
  const { receive, ...ahead } = skip(state, header.number, hour);
  const content = openBody(state, messageKey(receive!), message);
  const after = { ...ahead, receive: nextChain(receive!), received: header.number + 1 };
  return { state: after, content, late: false };
}

function readKept(state: State, key: Uint8Array, header: Header, message: Uint8Array): Decrypted {
  const taken = skipped.take(state.kept, key, header.number);
  if (!taken) throw new Refusal("repeated");
  const content = openBody(state, taken.key, message);
  return { state: { ...state, kept: taken.kept }, content, late: true };
}

/** Keep the keys of the present receiving chain up to number `until`. */
function skip(state: State, until: number, hour: number): State {
  if (!state.receive || until <= state.received) return state;
  if (until - state.received > MAX_SKIP) throw new Refusal("out_of_step");
  const keys: [number, Uint8Array][] = [];
  let chain = state.receive;
  for (let number = state.received; number < until; number++) {
    keys.push([number, messageKey(chain)]);
    chain = nextChain(chain);
  }
  const kept = skipped.keep(state.kept, { header: state.receive_header!, hour, keys });
  return { ...state, receive: chain, received: until, kept };
}

/** A step of the ratchet: they answered with a new key, so both chains begin anew. */
function step(before: State, header: Header, hour: number, random: Random): State {
  const state = skip(before, header.previous, hour);
  return refusing("bad_message", () => {
    const receiving = stepRoot(state.root, state.pair, header.remote);
    const pair = random(32);
    const sending = stepRoot(receiving.root, pair, header.remote);
    return {
      ...state,
      pair,
      remote: header.remote,
      root: sending.root,
      send: sending.chain,
      receive: receiving.chain,
      send_header: state.next_send_header,
      receive_header: state.next_receive_header,
      next_send_header: sending.nextHeader,
      next_receive_header: receiving.nextHeader,
      sent: 0,
      received: 0,
      previous: state.sent,
    };
  });
}

function openHeader(state: State, key: Uint8Array | undefined, sealed: Uint8Array): Header | undefined {
  const plain = key && aead.open(key, state.associated, sealed);
  if (plain?.length !== 40) return undefined;
  return { remote: plain.slice(0, 32), previous: readU32(plain, 32), number: readU32(plain, 36) };
}

function openBody(state: State, key: Uint8Array, message: Uint8Array): Uint8Array {
  const data = concat(state.associated, message.subarray(0, HEADER_SIZE));
  const content = aead.open(derive(key, "message"), data, message.subarray(HEADER_SIZE));
  if (!content) throw new Refusal("bad_message");
  return content;
}

function stepRoot(root: Uint8Array, seed: Uint8Array, remote: Uint8Array) {
  const keys = hkdf(agree(seed, remote), root, domain("ratchet"), 96);
  return { root: keys.slice(0, 32), chain: keys.slice(32, 64), nextHeader: keys.slice(64) };
}

function messageKey(chain: Uint8Array): Uint8Array {
  return mac(chain, MESSAGE_STEP);
}

function nextChain(chain: Uint8Array): Uint8Array {
  return mac(chain, CHAIN_STEP);
}
