/**
 * Rooms: channels as this account sees them: a checked roster, who is there with which devices, keys of titles.
 *
 * What the box says of a channel is checked against what the vault remembers: a roster that is shorter or another one
 * is refused. Members are looked up before they are given keys; one whose directory entry shows another identity than
 * the roster is given none.
 */
import { toBase64url } from "../../protocol/base64url.ts";
import { equal, fromHex, toHex } from "../../protocol/bytes.ts";
import * as wire from "../../protocol/channel.ts";
import { keyId, openInfo } from "../../protocol/channelInfo.ts";
import { decode } from "../../protocol/cbor.ts";
import type { Bundle, Device, Entry, OneTimePrekey } from "../../protocol/directory.ts";
import type { Recipient } from "../../protocol/groupCipher.ts";
import * as membership from "../../protocol/membership.ts";
import type { Member, State } from "../../protocol/membership.ts";
import { publicKey } from "../../protocol/onion.ts";
import { readAll, type Info } from "../../protocol/roster.ts";
import type { Devices } from "../../protocol/senderKey.ts";
import { isMap } from "../../protocol/shape.ts";
import { Refusal } from "../api.ts";
import type { Core } from "../messenger/core.ts";
import { isGood } from "../messenger/people.ts";
import { NEW_CHANNEL, names, type ChannelRecord } from "../messenger/records.ts";
import { Places, type Place } from "./places.ts";

/** Who is in our channels is not asked for again within so many seconds, when a stranger gives us a key. */
const KNOWN = 60;
const PREFIX = 64;

/** One channel. */
export class Room {
  readonly places = new Places();
  /** The box's counter up to which devices were looked up; 0: not yet. */
  devices = 0;
  readonly entries = new Map<string, Entry>();
  readonly bundles = new Map<string, Bundle>();
  /** The box showed another roster than the one known. */
  forked = false;
  tail: Promise<unknown> = Promise.resolve();

  constructor(
    readonly id: string,
    public seen: wire.Channel,
  ) {}

  /** The roster as it stands; Refusal not_member before it was read. */
  get roster(): State {
    if (!this.places.state) throw new Refusal("not_member", "", 403);
    return this.places.state;
  }

  /** The devices of members. */
  get present(): Devices[] {
    return [...this.entries.values()].map(({ identity, devices }) => ({
      identity,
      devices: devices.map((one) => one.device),
    }));
  }

  /** A member's device as their entry shows it. */
  device({ identity, device }: Recipient): Device | undefined {
    return this.entries.get(toHex(identity))?.devices.find((one) => equal(one.device, device));
  }
}

export class Rooms {
  readonly #rooms = new Map<string, Room>();
  #asked = -Infinity;

  constructor(readonly core: Core) {}

  /** Those one is in, and those one may join. */
  async all(): Promise<wire.Channel[]> {
    return (await this.core.wire.get<wire.Channels>("/v1/channels")).channels;
  }

  get(id: string): Room | undefined {
    return this.#rooms.get(id);
  }

  /** A channel with its roster as it is now. Refusals no_channel, not_member, bad_roster (a fork). */
  async enter(id: string): Promise<Room> {
    return this.meet(await this.core.wire.get<wire.Channel>(`/v1/channels/${toBase64url(fromHex(id))}`));
  }

  /** The same for one as the box has just told of it. */
  async meet(seen: wire.Channel): Promise<Room> {
    const id = toHex(seen.id);
    const room = this.#rooms.get(id) ?? new Room(id, seen);
    const reading = room.tail.then(async () => {
      if (seen.roster.number >= room.seen.roster.number) room.seen = seen;
      await this.#read(room, seen);
    });
    room.tail = reading.catch(() => undefined);
    try {
      await reading;
    } finally {
      // One that shows another roster than the one known is remembered for that.
      if (room.places.state || room.forked) this.#rooms.set(id, room);
    }
    return room;
  }

  forget(id: string): void {
    this.#rooms.delete(id);
  }

  async record(id: string): Promise<ChannelRecord> {
    const [value] = await this.core.vault.read([names.channel(id)]);
    return (value as unknown as ChannelRecord | undefined) ?? NEW_CHANNEL;
  }

  async #read(room: Room, seen: wire.Channel): Promise<void> {
    const { state: stored } = await this.record(room.id);
    const before = stateOf(stored);
    const known = before && { number: before.number, hash: before.hash };
    const fresh: wire.RosterEntry[] = [];
    const count = room.places.count;
    for (let more = count < seen.roster.number; more;) {
      const query: wire.RosterQuery = { channel: seen.id, after: count + fresh.length };
      const page = await this.core.wire.post<wire.RosterPage>("/v1/channels/roster/read", query);
      fresh.push(...page.entries);
      more = page.more && page.entries.length > 0;
    }
    try {
      const links = await readAll(fresh.map(({ entry }) => entry));
      const places = links.map((link, at): Place => ({ number: fresh[at]!.number, link }));
      room.places.add(places, known);
      const { state } = room.places;
      if (!state || !equal(state.channel, seen.id)) throw new Refusal("bad_roster", "", 400);
      if (state.number < seen.roster.number || membership.agrees(state, seen.roster) === false)
        throw new Refusal("bad_roster", "", 400);
      room.forked = false;
      if (known?.number !== state.number) this.#remember(room.id, state);
    } catch (error) {
      if ((error as { code?: string }).code === "bad_roster") room.forked = true;
      throw error;
    }
  }

  #remember(id: string, state: State): void {
    const stored = membership.store(state) as unknown as ChannelRecord["state"];
    this.core.ledger.later((batch) =>
      batch.change<ChannelRecord>(names.channel(id), (now = NEW_CHANNEL) => {
        const number = now.state["number"];
        return typeof number === "number" && number >= state.number ? now : { ...now, state: stored };
      }),
    );
  }

  /** Look up whose entries have changed; afterwards the counter is the one to post with. */
  async look(room: Room): Promise<void> {
    const { core } = this;
    const since: wire.MembersSince = { channel: room.seen.id, devices: room.devices };
    const changed = await core.wire.post<wire.MembersChanged>("/v1/channels/members/changed", since);
    const members = room.roster.members;
    const byName = new Map([...members.values()].map((one) => [one.name, one]));
    for (const identity of [...room.entries.keys()])
      if (!members.has(identity)) room.entries.delete(identity);
    const wanted = changed.names.filter((name) => byName.has(name));
    for (let at = 0; at < wanted.length; at += wire.MAX_LOOK_UPS)
      await this.#lookUp(room, wanted.slice(at, at + wire.MAX_LOOK_UPS), byName);
    // Who came by an entry that was not read yet is looked up once it was; until then no post is taken.
    if (wanted.length === changed.names.length) room.devices = changed.devices;
  }

  async #lookUp(room: Room, part: string[], byName: ReadonlyMap<string, Member>): Promise<void> {
    const { people, session, wire: way } = this.core;
    const older = await people.logs.head(session.onion);
    const query: wire.MembersQuery = { channel: room.seen.id, names: part, size: older?.size ?? 0 };
    const page = await way.post<wire.MembersPage>("/v1/channels/members", query);
    for (const name of part) room.entries.delete(toHex(byName.get(name)!.identity));
    for (const found of page.found) {
      const shown = decode(found.entry.subarray(PREFIX));
      const member = isMap(shown) && typeof shown.name === "string" ? byName.get(shown.name) : undefined;
      // Another one stands under this name now: no keys for him.
      if (!member || !isMap(shown) || !(shown.identity instanceof Uint8Array)) continue;
      if (!equal(shown.identity, member.identity)) continue;
      const { name, onion, identity } = member;
      const known = await people.check(found, { name, onion, identity }, session.onion, older);
      membership.checkMember(member, known.entry);
      room.entries.set(toHex(identity), known.entry);
      for (const bundle of known.bundles) room.bundles.set(toHex(bundle.device), bundle);
    }
  }

  /** A one-time prekey of each of these devices (hex), where there is one that it signed. */
  async prekeys(room: Room, whose: readonly Recipient[]): Promise<Map<string, OneTimePrekey>> {
    const wanted = new Map<string, wire.WantedPrekeys>();
    const devices = new Map<string, Device>();
    for (const one of whose) {
      const { name } = room.entries.get(toHex(one.identity))!;
      const row = wanted.get(name) ?? { name, devices: [] };
      wanted.set(name, { name, devices: [...row.devices, one.device] });
      devices.set(toHex(one.device), room.device(one)!);
    }
    const found = new Map<string, OneTimePrekey>();
    if (wanted.size === 0) return found;
    const body: wire.TakeMany = { channel: room.seen.id, wanted: [...wanted.values()] };
    const { taken } = await this.core.wire.post<wire.TakenMany>("/v1/channels/prekeys", body);
    for (const { device, prekey } of taken.flatMap((one) => one.prekeys)) {
      const owner = devices.get(toHex(device));
      if (prekey && owner && isGood(prekey, owner)) found.set(toHex(device), prekey);
    }
    return found;
  }

  /** Whether somebody is in a channel of ours (this one): from others no keys are taken. */
  async knows(identity: Uint8Array, channel?: Uint8Array): Promise<boolean> {
    const id = channel && toHex(channel);
    if (this.member(identity, id)) return true;
    if (this.core.now() - this.#asked < KNOWN) return false;
    this.#asked = this.core.now();
    for (const seen of await this.all()) {
      const number = this.#rooms.get(toHex(seen.id))?.places.state?.number ?? 0;
      // One that cannot be read is told of to whoever enters it.
      if (seen.member && number < seen.roster.number) await this.meet(seen).catch(() => undefined);
    }
    return this.member(identity, id) !== undefined;
  }

  /** Something happened in some channel: perhaps one that is new to us. */
  heard(): void {
    this.#asked = -Infinity;
  }

  /** Somebody in a channel of ours (in this one). */
  member(identity: Uint8Array, id?: string): Member | undefined {
    const rooms = id === undefined ? [...this.#rooms.values()] : [this.#rooms.get(id)];
    for (const room of rooms) {
      const state = room?.places.state;
      // Ours are those that we are in ourselves.
      if (!state || !membership.memberOf(state, this.core.identity())) continue;
      const found = membership.memberOf(state, identity);
      if (found) return found;
    }
    return undefined;
  }

  /** The public key of our box. */
  get onion(): Uint8Array {
    return publicKey(this.core.session.onion)!;
  }
}

/** A stored state; undefined: none, or not to be read. */
export function stateOf(stored: ChannelRecord["state"]): State | undefined {
  return stored["number"] === undefined ? undefined : membership.load(stored);
}

/** The key that opens this title. */
export function infoKey(state: State, { info_keys: keys }: ChannelRecord): Uint8Array | undefined {
  const { info } = state;
  if (!(info instanceof Uint8Array)) return undefined;
  return keys.find((key) => equal(keyId(key), info.subarray(0, 8)));
}

/** Title and topic, as far as we have the key. */
export function infoOf(state: State, record: ChannelRecord): Info | undefined {
  const { info } = state;
  if (!(info instanceof Uint8Array)) return info;
  const key = infoKey(state, record);
  try {
    return key && openInfo(key, state.channel, info);
  } catch {
    return undefined;
  }
}
