/**
 * Sender keys of channels: giving ours to members' devices, taking theirs, asking for what is missing. They travel
 * over the sessions between devices; with members who are no contacts there are sessions without a conversation.
 * What was made leaves in the commit that saves it.
 */
import { concat, equal, toHex } from "../../protocol/bytes.ts";
import type { Value } from "../../protocol/cbor.ts";
import { MAX_TARGETS, type Content, type SenderKey, type SenderKeyWanted } from "../../protocol/content.ts";
import { SenderKeys, type Recipient } from "../../protocol/groupCipher.ts";
import { agrees, memberOf } from "../../protocol/membership.ts";
import { hasSession } from "../../protocol/peer.ts";
import type { Dispatch } from "../../protocol/post.ts";
import { Refusal } from "../api.ts";
import type { Core } from "../messenger/core.ts";
import { leaving, type Done } from "../messenger/dispatcher.ts";
import type { Batch } from "../messenger/ledger.ts";
import type { Target } from "../messenger/outbound.ts";
import { NEW_CHANNEL, names, type ChannelRecord, type SessionRecord } from "../messenger/records.ts";
import { random } from "../random.ts";
import { infoKey, type Room, type Rooms } from "./rooms.ts";

/** Devices in one dispatch. */
const AT_ONCE = 50;
const ASK_HOURS = 1;
const MAX_ASKED = 64;
const MAX_INFO_KEYS = 4;
/** Devices whose chains are remembered (SPEC section 30). */
const MAX_DEVICES = 2000;
const MAX_ANSWERED = 4096;

/** How many devices have our key now, of all that are to have it. */
export type Giving = (done: number, total: number) => void;
type Told = SenderKey | SenderKeyWanted;

/** Whether this is said for the sake of a channel, not for a conversation. */
export function isForChannel(content: { kind: string } | undefined): content is Told {
  return content?.kind === "sender_key" || content?.kind === "sender_key_wanted";
}

export class ChannelKeys {
  /** The hour in which a device was last answered for a chain. */
  readonly #answered = new Map<string, number>();
  /** A key for this channel has come. */
  came: (id: string) => void = () => {};

  constructor(
    readonly core: Core,
    readonly rooms: Rooms,
  ) {}

  /** This device. */
  get own(): Recipient {
    return { identity: this.core.identity(), device: this.core.seat.device };
  }

  /** The cipher as it is in the vault, to write by. */
  async cipher(batch: Batch, room: Room): Promise<SenderKeys> {
    const record = (await batch.read<ChannelRecord>(names.channel(room.id))) ?? NEW_CHANNEL;
    const made = new SenderKeys(this.own, infoKey(room.roster, record) ?? record.info_keys[0]);
    const device = toHex(this.own.device);
    const found = new Map<string, Value>();
    for (const name of [`sending/${device}`, `shares/${device}`, readingName(this.own)]) {
      const value = await batch.read<Value>(names.channelKeys(room.id, name));
      if (value !== undefined) found.set(name, value);
    }
    made.load(found);
    return made;
  }

  /** Put what changed into a batch; where another device of ours wrote meanwhile: vault_conflict. */
  store(batch: Batch, id: string, cipher: SenderKeys): void {
    const { vault } = this.core;
    for (const [name, value] of cipher.changes()) {
      const full = names.channelKeys(id, name);
      if (name.startsWith("reading/")) {
        const version = vault.version(full);
        batch.change(full, () => {
          if (vault.version(full) !== version) throw new Refusal("vault_conflict", "", 409);
          return value;
        });
        this.#note(batch, id, this.own);
      } else batch.set(full, value);
    }
  }

  #note(batch: Batch, id: string, { identity, device }: Recipient): void {
    const both = concat(identity, device);
    batch.change<ChannelRecord>(names.channel(id), (now = NEW_CHANNEL) => {
      if (now.devices.length >= MAX_DEVICES || now.devices.some((one) => equal(one, both))) return now;
      return { ...now, devices: [...now.devices, both] };
    });
  }

  /** Have a chain to write by, which all members' devices were given; `anew`: another one than before. */
  async ready(room: Room, giving: Giving, anew = false): Promise<void> {
    const { core } = this;
    const missing = await core.ledger.run(async (batch) => {
      const cipher = await this.cipher(batch, room);
      if (anew || cipher.whyRenew(room.roster, room.present, core.hour())) {
        cipher.renew(room.roster, room.present, core.hour(), random);
        this.store(batch, room.id, cipher);
      }
      return cipher.missing(room.roster, room.present);
    });
    for (let at = 0; at < missing.length; at += AT_ONCE) {
      giving(at, missing.length);
      const targets = await this.#targets(room, missing.slice(at, at + AT_ONCE));
      const { done, left } = leaving();
      await core.ledger.run(async (batch) => {
        const cipher = await this.cipher(batch, room);
        const told = targets.map((target): [Content, Target] => {
          const to = { identity: target.identity, device: target.device.device };
          return [cipher.give(room.roster, to, { id: random(16), sent: core.now() }), target];
        });
        this.store(batch, room.id, cipher);
        await this.#leave(batch, told, done);
      });
      await left;
    }
    if (missing.length > 0) giving(missing.length, missing.length);
  }

  /** Devices with what is needed to begin a session where there is none; without that they are left. */
  async #targets(room: Room, whose: readonly Recipient[]): Promise<Target[]> {
    const seat = this.core.seat.id;
    const records = await this.core.vault.read(whose.map((one) => names.session(seat, toHex(one.device))));
    const begun = whose.filter((one, at) => {
      const record = records[at] as unknown as SessionRecord | undefined;
      const shown = room.device(one);
      return !(record && hasSession(record.peer) && shown && equal(record.peer.agreement, shown.agreement));
    });
    const reached = (one: Recipient): boolean => room.bundles.has(toHex(one.device));
    const prekeys = await this.rooms.prekeys(room, begun.filter(reached));
    const targets: Target[] = [];
    for (const one of whose) {
      const device = room.device(one);
      const bundle = room.bundles.get(toHex(one.device));
      if (!device || (begun.includes(one) && !bundle)) continue;
      const target: Target = { identity: one.identity, device, member: true };
      if (bundle) target.bundle = bundle;
      targets.push({ ...target, oneTime: prekeys.get(toHex(one.device)) ?? null });
    }
    return targets;
  }

  /** One dispatch of all of it; who cannot be reached asks for it later. */
  async #seal(batch: Batch, told: readonly [Content, Target][]): Promise<Dispatch | undefined> {
    const made: Dispatch = { id: random(16), envelopes: [], to: [] };
    for (const [content, target] of told) {
      let one: Dispatch;
      try {
        one = await this.core.outbound.sealFor(batch, content, [target]);
      } catch (error) {
        if (!["no_route", "bad_bundle"].includes((error as { code?: string }).code ?? "")) throw error;
        continue;
      }
      made.to.push({ ...one.to[0]!, envelopes: [made.envelopes.length] });
      made.envelopes.push(...one.envelopes);
    }
    return made.envelopes.length > 0 ? made : undefined;
  }

  async #leave(batch: Batch, told: readonly [Content, Target][], done?: Done): Promise<void> {
    const dispatch = await this.#seal(batch, told);
    if (dispatch) this.core.dispatcher.leave(batch, dispatch, done);
    else done?.();
  }

  /** What a device told us for the sake of a channel. */
  take(batch: Batch, sender: Recipient, said: Told): void {
    const id = toHex(said.channel);
    if (said.kind === "sender_key_wanted") {
      batch.after.push(() => void this.#answer(sender, said).catch(() => undefined));
      return;
    }
    const state = this.rooms.get(id)?.places.state;
    if (!state || !memberOf(state, sender.identity)) return;
    const isFork = agrees(state, said.roster) === false;
    if (!isFork) {
      const name = readingName(sender);
      batch.change<Value>(names.channelKeys(id, name), (now) => {
        const cipher = new SenderKeys(this.own);
        if (now !== undefined) cipher.load(new Map([[name, now]]));
        try {
          cipher.take(said, sender);
        } catch {
          return now;
        }
        return (cipher.changes().get(name) as Value | undefined) ?? now;
      });
      this.#note(batch, id, sender);
    }
    batch.change<ChannelRecord>(names.channel(id), (now = NEW_CHANNEL) => {
      if (isFork) return { ...now, alarm: true };
      const { info_key: key } = said;
      if (!key || now.info_keys.some((one) => equal(one, key))) return now;
      return { ...now, info_keys: [key, ...now.info_keys].slice(0, MAX_INFO_KEYS) };
    });
    batch.after.push(() => this.came(id));
  }

  /** Ask members' devices for chains (hex) we cannot read, at most once an hour for each. */
  async ask(room: Room, chains: ReadonlyMap<string, Uint8Array>): Promise<void> {
    const { core } = this;
    const hour = core.hour();
    const { asked } = await this.rooms.record(room.id);
    const wanted = [...chains].filter(([id]) => hour - (asked[id] ?? 0) >= ASK_HOURS).slice(0, MAX_TARGETS);
    const others = room.present
      .filter(({ identity }) => !equal(identity, this.own.identity))
      .flatMap(({ identity, devices }) => devices.map((device) => ({ identity, device })));
    if (wanted.length === 0 || others.length === 0) return;
    for (let at = 0; at < others.length; at += AT_ONCE) {
      const targets = await this.#targets(room, others.slice(at, at + AT_ONCE));
      await core.ledger.run(async (batch) => {
        batch.change<ChannelRecord>(names.channel(room.id), (now = NEW_CHANNEL) => {
          const rows = { ...now.asked, ...Object.fromEntries(wanted.map(([id]) => [id, hour])) };
          const newest = Object.entries(rows).sort((a, b) => a[1] - b[1]).slice(-MAX_ASKED); // prettier-ignore
          return { ...now, asked: Object.fromEntries(newest) };
        });
        const content: SenderKeyWanted = {
          v: 1,
          id: random(16),
          kind: "sender_key_wanted",
          sent: core.now(),
          channel: room.seen.id,
          chains: wanted.map(([, chain]) => chain),
        };
        await this.#leave(
          batch,
          targets.map((target) => [content, target]),
        );
      });
    }
  }

  /** A member's device lacks our chains: it gets those that are for it, once an hour each. */
  async #answer(sender: Recipient, { channel, chains }: SenderKeyWanted): Promise<void> {
    const { core } = this;
    const keyOf = (chain: Uint8Array): string => `${toHex(sender.device)}/${toHex(chain)}`;
    const due = chains.filter((chain) => core.hour() > (this.#answered.get(keyOf(chain)) ?? 0));
    if (due.length === 0) return;
    const room = await this.rooms.enter(toHex(channel));
    await this.rooms.look(room);
    if (!room.device(sender)) return;
    const targets = await this.#targets(room, [sender]);
    await core.ledger.run(async (batch) => {
      const cipher = await this.cipher(batch, room);
      const told: [Content, Target][] = [];
      for (const chain of due) {
        const common = { id: random(16), sent: core.now() };
        const answer = cipher.answer(room.roster, sender, chain, common);
        if (answer) told.push(...targets.map((target): [Content, Target] => [answer, target]));
      }
      this.store(batch, room.id, cipher);
      await this.#leave(batch, told);
    });
    if (this.#answered.size > MAX_ANSWERED) this.#answered.clear();
    for (const chain of due) this.#answered.set(keyOf(chain), core.hour());
  }
}

/** What the cipher calls the record of a device's chains. */
export function readingName({ identity, device }: Recipient): string {
  return `reading/${toHex(identity)}/${toHex(device)}`;
}
