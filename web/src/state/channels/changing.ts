/** Changes of a channel's roster: signed against the roster as it is, and anew where somebody else was first. */
import { toBase64url } from "../../protocol/base64url.ts";
import { equal, fromHex, toHex } from "../../protocol/bytes.ts";
import * as wire from "../../protocol/channel.ts";
import { sealInfo } from "../../protocol/channelInfo.ts";
import type { State } from "../../protocol/membership.ts";
import { isPlainInfo, sign, type Change, type Info, type Role } from "../../protocol/roster.ts";
import { Refusal } from "../api.ts";
import type { Core } from "../messenger/core.ts";
import { NEW_CHANNEL, names, type ChannelRecord } from "../messenger/records.ts";
import { random } from "../random.ts";
import { infoKey, type Room, type Rooms } from "./rooms.ts";

const TRIES = 8;
const MAX_INFO_KEYS = 4;

export class Changing {
  constructor(
    readonly core: Core,
    readonly rooms: Rooms,
  ) {}

  /** Make a channel; its id. A private one's title is sealed under a key that its members get. */
  async create(info: Info, isPublic: boolean): Promise<string> {
    check(info);
    const channel = random(16);
    const id = toHex(channel);
    const shown = isPublic ? info : await this.#sealed(id, info, random(32));
    const { name } = this.core.session;
    const settings = { timer: 0, slow: 0 };
    const change: Change = { kind: "create", public: isPublic, name, onion: this.rooms.onion, info: shown, ...settings }; // prettier-ignore
    const made: wire.NewChannel = { entry: this.#sign(channel, undefined, change) };
    await this.core.wire.post<wire.Appended>("/v1/channels", made);
    return id;
  }

  /** Make a change, which may depend on how the roster stands; the room after it. */
  async change(id: string, make: Change | ((room: Room) => Change | Promise<Change>)): Promise<Room> {
    for (let turn = 1; ; turn++) {
      const room = await this.rooms.enter(id);
      const change = typeof make === "function" ? await make(room) : make;
      const entry = this.#sign(room.seen.id, room.roster, change);
      const body: wire.AppendRoster = { channel: room.seen.id, entry };
      try {
        await this.core.wire.post<wire.Appended>("/v1/channels/roster", body);
      } catch (error) {
        if ((error as { code?: string }).code !== "old_roster" || turn >= TRIES) throw error;
        continue;
      }
      // Whoever has left a private channel cannot look at it any more.
      if (change.kind === "leave") return room;
      return this.rooms.enter(id);
    }
  }

  join(id: string): Promise<Room> {
    return this.change(id, { kind: "join", name: this.core.session.name, onion: this.rooms.onion });
  }

  /** Let somebody of the box in: whom the directory shows under that name is looked up and checked first. */
  async invite(id: string, name: string, role: Role): Promise<Room> {
    const { people, chats, session } = this.core;
    const { entry } = await people.find(`${name}@${session.onion}`);
    const known = chats.byAddress(name, session.onion);
    const person = known === undefined ? undefined : people.person(known);
    if (person && !equal(person.identity, entry.identity)) throw new Refusal("key_changed", "", 409);
    const { identity } = entry;
    return this.change(id, { kind: "add", name: entry.name, onion: this.rooms.onion, identity, role });
  }

  /** Other words for title and topic; whether there is a new key of them, which members must be given. */
  async describe(id: string, info: Info): Promise<boolean> {
    check(info);
    let fresh = false;
    await this.change(id, async (room) => {
      const state = room.roster;
      if (state.public) return { kind: "info", info };
      const known = infoKey(state, await this.rooms.record(id));
      // Who was put out since has the old one.
      fresh = !known || state.cut > room.places.titled;
      return { kind: "info", info: await this.#sealed(id, info, fresh ? random(32) : known!) };
    });
    return fresh;
  }

  /** It is gone for everybody; Refusal second_eyes where somebody else must agree. */
  async remove(id: string): Promise<void> {
    await this.core.wire.remove(`/v1/channels/${toBase64url(fromHex(id))}`);
  }

  /** Sealed under a key that is in the vault first. */
  async #sealed(id: string, info: Info, key: Uint8Array): Promise<Uint8Array> {
    await this.core.ledger.run((batch) =>
      batch.change<ChannelRecord>(names.channel(id), (now = NEW_CHANNEL) => {
        if (now.info_keys[0] && equal(now.info_keys[0], key)) return now;
        const others = now.info_keys.filter((one) => !equal(one, key));
        return { ...now, info_keys: [key, ...others].slice(0, MAX_INFO_KEYS) };
      }),
    );
    return sealInfo(key, fromHex(id), info, random);
  }

  #sign(channel: Uint8Array, state: State | undefined, change: Change): Uint8Array {
    const { seed } = this.core.account();
    return sign(seed, {
      version: 1,
      channel,
      number: (state?.number ?? 0) + 1,
      previous: state?.hash ?? new Uint8Array(32),
      hour: this.core.hour(),
      actor: this.core.identity(),
      change,
    });
  }
}

function check(info: Info): void {
  if (info.title === "" || !isPlainInfo(info)) throw new Refusal("malformed", "", 400);
}
