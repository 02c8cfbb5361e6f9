/**
 * The group cipher: what a channel needs of its encryption, and how sender keys do it.
 *
 * Another cipher (MLS, say) would stand behind the same calls. An object is the state of one channel on one device: a
 * call that is refused leaves it as it was, and what `changes` tells is stored before anything that was made leaves.
 * What is kept to read belongs to the account: all its devices find it in the vault. What is kept to write is the
 * device's own; one that was set back is a new device, and begins a new chain.
 */
import { compare, equal, toHex } from "./bytes.ts";
import type { Value } from "./cbor.ts";
import * as channelMessage from "./channelMessage.ts";
import type { SenderKey } from "./content.ts";
import type { Random } from "./keys.ts";
import { verifyAll, type Claim } from "./manySignatures.ts";
import { MAX_MEMBERS, memberOf, type State } from "./membership.ts";
import { Refusal, refusing, type Code } from "./refusal.ts";
import * as chains from "./senderKey.ts";
import type { Devices, Given, Reason, ReceivingChain, SendingChain } from "./senderKey.ts";
import { bytes, integer, isInteger, isMap, list, map, type Read } from "./shape.ts";

const VERSION = 1;
/** Chains kept of one device; the oldest go first. */
export const MAX_CHAINS = 64;
/** Devices of a channel. */
export const MAX_DEVICES = 2000;
/** Of so many chains that were replaced it is remembered who was given them. */
export const MAX_RETIRED = 8;
/** Messages that are verified and opened before others get a turn. */
const SLICE = 32;

/** A device of somebody. */
export interface Recipient {
  readonly identity: Uint8Array;
  readonly device: Uint8Array;
}

/** An entry of the log: its number, the message, and the state of the roster in which it was posted. */
export interface Posted {
  readonly number: number;
  readonly message: Uint8Array;
  readonly state: State;
}

/** What became of it: what was said and by whom, that the key named has not come yet, or why it does not count. */
export type Heard =
  | { readonly number: number; readonly sender: Recipient; readonly payload: Uint8Array }
  | { readonly number: number; readonly wanted: Uint8Array }
  | { readonly number: number; readonly refused: Code };

/** Id and second of the content in which something is told. */
export interface Common {
  readonly id: Uint8Array;
  readonly sent: number;
}

/** The encryption of one channel, as one device has it; `Told` is what devices tell one another. */
export interface GroupCipher<Told> {
  /** Its name in the channel's description. */
  readonly encryption: string;
  /** Why nothing may be sealed before `renew`; undefined when all is well. */
  whyRenew(state: State, present: readonly Devices[], hour: number): string | undefined;
  /** Begin to write with new keys. */
  renew(state: State, present: readonly Devices[], hour: number, random: Random): void;
  /** The members' devices that cannot read us yet. */
  missing(state: State, present: readonly Devices[]): Recipient[];
  /** What such a device is told over a session with it, and remember that. */
  give(state: State, to: Recipient, common: Common): Told;
  /** What a member's device is told that asks for these keys; undefined when they are not for it. */
  answer(state: State, to: Recipient, wanted: Uint8Array, common: Common): Told | undefined;
  /** What we were told, over a session with that device. */
  take(told: Told, sender: Recipient): void;
  /** A message to be posted in this state of the roster. */
  seal(state: State, payload: Uint8Array, random: Random): Uint8Array;
  /** What entries of the log say, in the order given; `pause` is awaited now and then, with how many are done. */
  openAll(posted: readonly Posted[], pause?: (done: number) => Promise<void>): Promise<Heard[]>;
  /** Let go of the keys of all that left the log; `oldest`: each chain's (in hexadecimal) first iteration there. */
  forget(oldest: ReadonlyMap<string, number>): void;
  /** The records that changed since this was last asked, by name; undefined: to be removed. */
  changes(): Map<string, unknown>;
}

const PAIR = list(integer(0, 0xffff_ffff), 2, 2);
const RETIRED = map({ chain: bytes(16), given: list(PAIR, MAX_MEMBERS) });
const SENDING = map({ version: integer(VERSION, VERSION), chain: chains.SENDING_CHAIN });
const SHARES = map({
  version: integer(VERSION, VERSION),
  given: chains.GIVEN_LIST,
  retired: list(RETIRED, MAX_RETIRED),
});
const READING = map({
  version: integer(VERSION, VERSION),
  chains: list(chains.RECEIVING_CHAIN, MAX_CHAINS, 1),
});

/** What the log's order has of a message: number, generation, iteration. */
type Place = readonly [number, number, number];

/** A message before its signature was checked. */
type Looked =
  | { readonly id: string; readonly parts: channelMessage.Parts; readonly claim: Claim }
  | { readonly wanted: Uint8Array }
  | { readonly refused: Code };

/** A device and what is known of its chains: generations by id, and what was read, in the order of the log. */
interface Maker {
  readonly device: Recipient;
  readonly chains: Map<string, number>;
  readonly order: Place[];
}

/** Sender keys: every device writes by a chain of its own (senderKey.ts). */
export class SenderKeys implements GroupCipher<SenderKey> {
  readonly encryption = "sender-keys/1";
  #sending: SendingChain | undefined;
  #shares: Read<typeof SHARES> = { version: VERSION, given: [], retired: [] };
  #chains = new Map<string, ReceivingChain>();
  #makers = new Map<string, Maker>();
  #ladders = new Map<string, chains.Ladder>();
  #changed = new Set<string>();

  constructor(
    readonly own: Recipient,
    public infoKey?: Uint8Array,
  ) {}

  /** Take in stored records by the names that `changes` gave them; Refusal unknown_version, or wrong_state. */
  load(records: ReadonlyMap<string, Value>): void {
    for (const [name, value] of records)
      refusing("wrong_state", () => {
        if (isMap(value) && isInteger(value.version) && value.version > VERSION)
          throw new Refusal("unknown_version");
        if (name.startsWith("sending/")) this.#sending = SENDING(value).chain;
        else if (name.startsWith("shares/")) this.#shares = SHARES(value);
        else if (name.startsWith("reading/")) for (const chain of READING(value).chains) this.#put(chain);
        else throw new Refusal("wrong_state");
      });
    this.#changed.clear();
  }

  changes(): Map<string, unknown> {
    const found = new Map<string, unknown>();
    const own = toHex(this.own.device);
    for (const name of this.#changed) {
      if (name === "sending") found.set(`sending/${own}`, { version: VERSION, chain: this.#sending });
      else if (name === "shares") found.set(`shares/${own}`, this.#shares);
      else {
        const known = this.#of(name);
        found.set(`reading/${name}`, known.length > 0 ? { version: VERSION, chains: known } : undefined);
      }
    }
    this.#changed.clear();
    return found;
  }

  whyRenew(state: State, present: readonly Devices[], hour: number): Reason | undefined {
    return this.#sending
      ? chains.whyReplace(this.#sending, this.#shares.given, state, present, hour)
      : "count";
  }

  renew(state: State, present: readonly Devices[], hour: number, random: Random): void {
    const before = this.#sending;
    const generation = before ? before.chain.generation + 1 : 0;
    const mine = present.find(({ identity }) => equal(identity, this.own.identity));
    const devices = [...(mine?.devices ?? [])].sort(compare);
    const chain = chains.make(state, this.own, generation, devices, hour, random);
    let { retired } = this.#shares;
    if (before) {
      const given = this.#shares.given.map(({ since, iteration }) => [since, iteration]);
      retired = [...retired, { chain: chains.idOf(before.chain), given }].slice(-MAX_RETIRED);
    }
    this.#sending = chain;
    this.#shares = { version: VERSION, given: [], retired };
    this.#changed.add("sending").add("shares");
    this.#put(chains.receiving(chain));
  }

  /** One's own other devices find the chain in the vault. */
  missing(state: State, present: readonly Devices[]): Recipient[] {
    const given = new Set(this.#shares.given.flatMap(namesOf));
    return present.flatMap(({ identity, devices }) => {
      const member = memberOf(state, identity);
      if (!member || equal(identity, this.own.identity)) return [];
      return devices
        .filter((device) => !given.has(`${member.since}/${toHex(device)}`))
        .map((device) => ({ identity, device }));
    });
  }

  /** Refusals not_member, wrong_state (`renew` first). */
  give(state: State, to: Recipient, common: Common): SenderKey {
    const member = memberOf(state, to.identity);
    const sending = this.#sending;
    if (!member) throw new Refusal("not_member");
    if (!sending || sending.chain.since < state.cut) throw new Refusal("wrong_state");
    const noted = chains.note(this.#shares.given, member.since, to.device, sending.step.iteration);
    const told = this.#tell(toHex(chains.idOf(sending.chain)), noted.iteration, state, common);
    this.#shares = { ...this.#shares, given: noted.given };
    this.#changed.add("shares");
    return told;
  }

  /** `wanted` is a chain's id. It is given from where its member was given it first. */
  answer(state: State, to: Recipient, wanted: Uint8Array, common: Common): SenderKey | undefined {
    const member = memberOf(state, to.identity);
    const id = toHex(wanted);
    const known = this.#chains.get(id);
    if (!member || !known || nameOf(known.chain) !== nameOf(this.own)) return undefined;
    const sending = this.#sending;
    const present = sending !== undefined && equal(chains.idOf(sending.chain), wanted);
    if (present && sending.chain.since >= state.cut) return this.give(state, to, common);
    // Nothing is sealed any more with a chain before the last removal, but it may be read from where it was given.
    const retired = this.#shares.retired.find(({ chain }) => equal(chain, wanted))?.given ?? [];
    const given = present ? this.#shares.given.map((one) => [one.since, one.iteration]) : retired;
    const first = given.find(([since]) => since === member.since)?.[1];
    if (first === undefined && member.since > known.chain.since) return undefined;
    return this.#tell(id, first ?? 0, state, common);
  }

  /** Refusals not_member, wrong_state (`renew` first), too_large. */
  seal(state: State, payload: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
    if (!this.#sending) throw new Refusal("wrong_state");
    const { chain, message } = channelMessage.seal(this.#sending, state, payload, random);
    this.#sending = chain;
    this.#changed.add("sending");
    return message;
  }

  /** Refusal bad_message; too_many beyond the devices a channel may have. */
  take(told: SenderKey, sender: Recipient): void {
    const chain = chains.chainOf(told, sender);
    const known = this.#chains.get(toHex(chains.idOf(chain)));
    const taken = chains.take(told, chain, known);
    const others = this.#of(nameOf(sender));
    if (others.length === 0 && this.#makers.size >= MAX_DEVICES) throw new Refusal("too_many");
    if (!known && others.length >= MAX_CHAINS) {
      if (others[0]!.chain.generation >= told.generation) throw new Refusal("bad_message");
      this.#drop(toHex(chains.idOf(others[0]!.chain)));
    }
    this.#put(taken);
  }

  /**
   * Refused with not_member, old_roster, repeated, bad_message, unknown_version; with out_of_step what was posted
   * before we were given its chain.
   */
  async openAll(posted: readonly Posted[], pause?: (done: number) => Promise<void>): Promise<Heard[]> {
    const heard: Heard[] = [];
    for (let at = 0; at < posted.length; at += SLICE) {
      if (at > 0) await pause?.(at);
      heard.push(...(await this.#openSlice(posted.slice(at, at + SLICE))));
    }
    return heard;
  }

  async #openSlice(posted: readonly Posted[]): Promise<Heard[]> {
    const looked = posted.map((one) => this.#look(one));
    const good = await verifyAll(looked.flatMap((one) => ("claim" in one ? [one.claim] : [])));
    let asked = 0;
    return looked.map((one, at) => {
      const { number } = posted[at]!;
      if (!("claim" in one)) return { number, ...one };
      if (!good[asked++]) return { number, refused: "bad_message" };
      return this.#open(posted[at]!, one.id, one.parts);
    });
  }

  /** Chains of which nothing is left go, but for a device's newest one. */
  forget(oldest: ReadonlyMap<string, number>): void {
    for (const [id, known] of [...this.#chains]) {
      const first = oldest.get(id);
      if (first === undefined && known.last === 0) continue; // what it is for may be yet to come
      if (first === undefined && this.#of(nameOf(known.chain)).at(-1) !== known) {
        this.#drop(id);
        continue;
      }
      const after = chains.forget(known, first ?? known.head.iteration);
      if (after !== known) this.#put(after);
    }
  }

  /** The signature to be checked, unless it is of no known chain or out of the question. */
  #look({ message, state }: Posted): Looked {
    try {
      const parts = channelMessage.parse(message);
      const id = toHex(parts.chain);
      const known = this.#chains.get(id);
      if (!known) return { wanted: parts.chain };
      return { id, parts, claim: channelMessage.claim(known.chain, state, parts) };
    } catch (error) {
      return { refused: codeOf(error) };
    }
  }

  #open({ number, state }: Posted, id: string, parts: channelMessage.Parts): Heard {
    const known = this.#chains.get(id);
    if (!known) return { number, wanted: parts.chain };
    const maker = this.#makers.get(nameOf(known.chain))!;
    const place: Place = [number, known.chain.generation, parts.iteration];
    try {
      const at = this.#checkOrder(maker, known, place);
      const ladder = number <= known.last ? this.#ladder(id, known) : undefined;
      const opened = channelMessage.openParts(known, state, number, parts, ladder);
      if (opened.chain !== known) {
        this.#chains.set(id, opened.chain);
        this.#changed.add(nameOf(maker.device));
      }
      if (!isSame(maker.order[at], place)) maker.order.splice(at, 0, place);
      return { number, sender: maker.device, payload: opened.payload };
    } catch (error) {
      return { number, refused: codeOf(error) };
    }
  }

  /**
   * Where a message stands among what was read of its device; Refusal repeated if that cannot be.
   *
   * Generation and iteration rise with the numbers of the log: nothing is shown twice or turned around.
   */
  #checkOrder({ chains: ids, order }: Maker, known: ReceivingChain, place: Place): number {
    for (const id of ids.keys()) {
      const one = this.#chains.get(id)!;
      const ahead = one.chain.generation - known.chain.generation;
      const later = ahead > 0 && one.last < place[0];
      if (one.last > 0 && (later || (ahead === 0 && one !== known))) throw new Refusal("repeated");
    }
    let [at, end] = [0, order.length];
    while (at < end) {
      const middle = (at + end) >> 1;
      if (order[middle]![0] < place[0]) at = middle + 1;
      else end = middle;
    }
    const [before, after] = [order[at - 1], order[at]];
    if (isSame(after, place)) return at;
    const risen = !before || isBelow(before, place);
    const free = !after || (after[0] !== place[0] && isBelow(place, after));
    if (!risen || !free) throw new Refusal("repeated");
    return at;
  }

  #ladder(id: string, { base }: ReceivingChain): chains.Ladder {
    if (!this.#ladders.has(id)) this.#ladders.set(id, new chains.Ladder(base));
    return this.#ladders.get(id)!;
  }

  #tell(id: string, first: number, state: State, common: Common): SenderKey {
    const { chain, base } = this.#chains.get(id)!;
    const step = chains.walk(base, Math.max(first, base.iteration));
    return chains.give(chain, step, state, this.infoKey, common);
  }

  /** A device's chains, the oldest generation first. */
  #of(name: string): ReceivingChain[] {
    const ids = [...(this.#makers.get(name)?.chains ?? [])].sort((a, b) => a[1] - b[1]);
    return ids.map(([id]) => this.#chains.get(id)!);
  }

  #put(chain: ReceivingChain): void {
    const id = toHex(chains.idOf(chain.chain));
    const name = nameOf(chain.chain);
    const { identity, device } = chain.chain;
    const maker = this.#makers.get(name) ?? { device: { identity, device }, chains: new Map(), order: [] };
    this.#makers.set(name, maker);
    maker.chains.set(id, chain.chain.generation);
    this.#chains.set(id, chain);
    this.#ladders.delete(id);
    this.#changed.add(name);
  }

  #drop(id: string): void {
    const name = nameOf(this.#chains.get(id)!.chain);
    const maker = this.#makers.get(name)!;
    maker.chains.delete(id);
    if (maker.chains.size === 0) this.#makers.delete(name);
    this.#chains.delete(id);
    this.#ladders.delete(id);
    this.#changed.add(name);
  }
}

function nameOf({ identity, device }: Recipient): string {
  return `${toHex(identity)}/${toHex(device)}`;
}

function namesOf({ since, devices }: Given): string[] {
  return devices.map((device) => `${since}/${toHex(device)}`);
}

function isSame(a: Place | undefined, b: Place): boolean {
  return a !== undefined && a.every((value, at) => value === b[at]);
}

function isBelow(a: Place, b: Place): boolean {
  return a[1] < b[1] || (a[1] === b[1] && a[2] < b[2]);
}

function codeOf(error: unknown): Code {
  if (error instanceof Refusal) return error.code;
  throw error;
}
