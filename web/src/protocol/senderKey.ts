/**
 * Sender keys: a chain of keys by which one device writes to a channel, and all its members read.
 *
 * A chain moves one way with every message. Whoever is given it at an iteration reads from there on and nothing
 * before; only its maker, who has the signing key, writes in it. What a chain is (whose, since when) is bound by its
 * id, and a message to the state of the roster in which it was posted.
 *
 * | have           | give         | read                                              |
 * |----------------|--------------|---------------------------------------------------|
 * | SendingChain   | at iteration | (its maker keeps a ReceivingChain of it, too)     |
 * | ReceivingChain | base … head  | in the order of the log; again from the base on   |
 *
 * Values are never changed: functions give new ones, and what does not verify changes nothing.
 */
import { equal, toHex, u32 } from "./bytes.ts";
import { MAX_ITERATIONS, type SenderKey } from "./content.ts";
import { domain, hash, isPrimeOrder, mac, signingPublic, type Random } from "./keys.ts";
import { MAX_MEMBERS, may, type State } from "./membership.ts";
import { Refusal } from "./refusal.ts";
import { HOUR, NUMBER } from "./roster.ts";
import { bytes, integer, list, map, type Read } from "./shape.ts";

export const VERSION = 1;
/** So many hours old a chain is replaced. */
export const MAX_AGE = 7 * 24;

const NEXT = domain("channel chain");
const KEY = bytes(32);
const ID = bytes(16);
const ITERATION = integer(0, MAX_ITERATIONS);

const CHAIN = map({
  channel: ID,
  identity: KEY,
  device: ID,
  /** 0 for the device's first chain in this channel, one more for each that follows. */
  generation: integer(0, 0xffff_ffff),
  /** The roster's number when it was made. */
  since: NUMBER,
  signing: KEY,
});
/** What never changes of a chain: whose it is, its place among their chains, the roster it was made in. */
export type Chain = Read<typeof CHAIN>;

const STEP = map({ iteration: ITERATION, key: KEY });
/** A chain key and its iteration: from here on everything can be read. */
export type Step = Read<typeof STEP>;

export const GIVEN = map({ since: NUMBER, iteration: ITERATION, devices: list(ID, 64, 1) });
/** Who has a chain: the member who came with entry `since`, from `iteration` on, on these devices. */
export type Given = Read<typeof GIVEN>;

export const SENDING_CHAIN = map({
  version: integer(VERSION, VERSION),
  chain: CHAIN,
  made_hour: HOUR,
  seed: KEY,
  step: STEP,
  /** The devices of its maker's account then: all of them read the same vault. */
  own: list(ID, 64),
});
/** The chain by which this device writes; stored before what it sealed leaves. */
export type SendingChain = Read<typeof SENDING_CHAIN>;

export const RECEIVING_CHAIN = map({
  version: integer(VERSION, VERSION),
  chain: CHAIN,
  base: STEP,
  head: STEP,
  last: integer(0),
});
/**
 * A chain to read by: from `base` on again and again, from `head` on for the first time.
 *
 * `last` is the log's number of the last message that was read for the first time (0: none).
 */
export type ReceivingChain = Read<typeof RECEIVING_CHAIN>;

/** The list of those who were given a chain, as it is stored. */
export const GIVEN_LIST = list(GIVEN, MAX_MEMBERS);

/** Why a chain has to be replaced: used up, too old, somebody was put out, a device was taken away. */
export type Reason = "count" | "age" | "removal" | "device";

/** The devices of one member now. */
export interface Devices {
  readonly identity: Uint8Array;
  readonly devices: readonly Uint8Array[];
}

/** The 16 octets by which messages name a chain; they can stand for no other. */
export function idOf(chain: Chain): Uint8Array {
  const { channel, identity, device, generation, since, signing } = chain;
  const bound = [domain("chain"), channel, identity, device, u32(generation), u32(since), signing];
  return hash(...bound).slice(0, 16);
}

/** A device's next chain. Refusal not_member for whoever cannot post. */
export function make(
  state: State,
  maker: { identity: Uint8Array; device: Uint8Array },
  generation: number,
  own: readonly Uint8Array[],
  hour: number,
  random: Random,
): SendingChain {
  if (!may(state, maker.identity, "post")) throw new Refusal("not_member");
  const key = random(32);
  const seed = random(32);
  const { identity, device } = maker;
  const { channel, number: since } = state;
  const chain = { channel, identity, device, generation, since, signing: signingPublic(seed) };
  return { version: VERSION, chain, made_hour: hour, seed, step: { iteration: 0, key }, own: [...own] };
}

/** How its maker reads a chain: from its present iteration on. */
export function receiving({ chain, step }: SendingChain): ReceivingChain {
  return { version: VERSION, chain, base: step, head: step, last: 0 };
}

/** Why this chain, which those were given, must not be written in any more. */
export function whyReplace(
  sending: SendingChain,
  given: readonly Given[],
  state: State,
  present: readonly Devices[],
  hour: number,
): Reason | undefined {
  if (sending.step.iteration >= MAX_ITERATIONS) return "count";
  // A clock that was set back makes no chain young again.
  if (hour < sending.made_hour || hour - sending.made_hour >= MAX_AGE) return "age";
  if (sending.chain.since < state.cut) return "removal";
  const there = new Map(present.map((one) => [toHex(one.identity), new Set(one.devices.map(toHex))]));
  const own = there.get(toHex(sending.chain.identity)) ?? new Set<string>();
  if (own.size !== sending.own.length || sending.own.some((one) => !own.has(toHex(one)))) return "device";
  const whose = new Map([...state.members].map(([identity, member]) => [member.since, identity]));
  for (const { since, devices } of given) {
    const now = there.get(whose.get(since) ?? "");
    if (devices.some((device) => !now?.has(toHex(device)))) return "device";
  }
  return undefined;
}

/** What one more device is given at this iteration: it, or the first one that its member was given. */
export function note(
  given: readonly Given[],
  since: number,
  device: Uint8Array,
  iteration: number,
): { given: Given[]; iteration: number } {
  const known = given.find((one) => one.since === since);
  if (!known) return { given: [...given, { since, iteration, devices: [device] }], iteration };
  const has = known.devices.some((one) => equal(one, device));
  const after = has ? known : { ...known, devices: [...known.devices, device] };
  return { given: given.map((one) => (one === known ? after : one)), iteration: known.iteration };
}

/** What a member's device is told of a chain, from this step on. */
export function give(
  chain: Chain,
  step: Step,
  state: State,
  infoKey: Uint8Array | undefined,
  common: { id: Uint8Array; sent: number },
): SenderKey {
  const { channel, generation, since, signing } = chain;
  const roster = { number: state.number, hash: state.hash };
  const told = { channel, generation, since, signing, ...step, roster };
  return { v: 1, ...common, kind: "sender_key", ...told, info_key: infoKey };
}

/** The chain that a device speaks of. */
export function chainOf(told: SenderKey, maker: { identity: Uint8Array; device: Uint8Array }): Chain {
  const { channel, generation, since, signing } = told;
  return { channel, identity: maker.identity, device: maker.device, generation, since, signing };
}

/**
 * How a chain is read that we were told of; `known` is what we have of the same one.
 *
 * Refusal bad_message when its key cannot be one, or does not lead to what is known.
 */
export function take(told: SenderKey, chain: Chain, known?: ReceivingChain): ReceivingChain {
  const step = { iteration: told.iteration, key: told.key };
  if (!known) {
    if (!isPrimeOrder(told.signing)) throw new Refusal("bad_message");
    return { version: VERSION, chain, base: step, head: step, last: 0 };
  }
  const [earlier, later] = step.iteration <= known.base.iteration ? [step, known.base] : [known.base, step];
  if (!equal(walk(earlier, later.iteration).key, later.key)) throw new Refusal("bad_message");
  return { ...known, base: earlier };
}

/** The same chain at a later iteration; Refusal out_of_step for an earlier one, whose key is gone. */
export function walk(step: Step, iteration: number): Step {
  if (iteration < step.iteration) throw new Refusal("out_of_step");
  let { key } = step;
  for (let at = step.iteration; at < iteration; at++) key = mac(key, NEXT);
  return { iteration, key };
}

/** The keys of one chain from a step on, as far as was asked: reading it again goes the way once. */
export class Ladder {
  readonly #base: number;
  readonly #keys: Uint8Array[];

  constructor(base: Step) {
    this.#base = base.iteration;
    this.#keys = [base.key];
  }

  /** The chain at this iteration; Refusal out_of_step before the base. */
  at(iteration: number): Step {
    if (iteration < this.#base) throw new Refusal("out_of_step");
    while (this.#keys.length <= iteration - this.#base) this.#keys.push(mac(this.#keys.at(-1)!, NEXT));
    return { iteration, key: this.#keys[iteration - this.#base]! };
  }
}

/** Without the keys of what came before this iteration (at most what was read): they are gone for good. */
export function forget(chain: ReceivingChain, iteration: number): ReceivingChain {
  const until = Math.min(iteration, chain.head.iteration);
  return until <= chain.base.iteration ? chain : { ...chain, base: walk(chain.base, until) };
}
