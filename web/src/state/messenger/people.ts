/** Looking people up: entries whose proofs were checked, and prekeys. */
import { equal, toHex } from "../../protocol/bytes.ts";
import type {
  Bundle,
  Device,
  Entry,
  FarLookUp,
  Found,
  OneTimePrekey,
  Taken,
} from "../../protocol/directory.ts";
import { readPerson } from "../../protocol/names.ts";
import { checkOneTime, readEntry, type Wanted } from "../../protocol/prekeys.ts";
import { readDirectory, type Known, type LogHead } from "../../protocol/transparency.ts";
import { Refusal } from "../api.ts";
import type { Core } from "./core.ts";
import { Logs } from "./logs.ts";
import { names, type PersonRecord } from "./records.ts";

/** Seconds after which an entry is looked at again. */
const FRESH = 6 * 3600;

export interface Person extends Known {
  name: string;
  host: string;
}

export class People {
  /** Bundles of the last look-up, by device (hex). */
  #bundles = new Map<string, Bundle>();
  readonly logs: Logs;
  #running = new Map<string, Promise<Person>>();
  /** Entries by the octets they were read from: a signature is checked once. */
  #read = new WeakMap<Uint8Array, Entry>();

  constructor(readonly core: Core) {
    this.logs = new Logs(core);
  }

  /** Look an address up at its box; Refusal bad_address, no_account, unreachable, bad_entry, bad_log. */
  find(address: string): Promise<Person> {
    const running =
      this.#running.get(address) ?? this.#find(address).finally(() => this.#running.delete(address));
    this.#running.set(address, running);
    return running;
  }

  async #find(typed: string): Promise<Person> {
    const person = readPerson(typed);
    if (!person) throw new Refusal("bad_address", "", 400);
    const { name, host, onion } = person;
    const older = await this.logs.head(host);
    const query: FarLookUp = { address: `${name}@${host}` };
    if (older) query.size = older.size;
    const found = await this.core.wire.post<Found>("/v1/people", query);
    const known = await this.check(found, { name, onion, ...this.#remembered(name, host) }, host, older);
    for (const bundle of known.bundles) this.#bundles.set(toHex(bundle.device), bundle);
    return { ...known, name, host };
  }

  /** What a box answered to a look-up, once it is sure that it continues what was known of its log. */
  async check(
    found: Found,
    want: Wanted & { name: string; onion: Uint8Array },
    host: string,
    older: LogHead | null,
  ): Promise<Known> {
    const note = found.proof.checkpoint;
    let known: Known;
    try {
      known = readDirectory(found, want, older);
    } catch (error) {
      if ((error as { code?: string }).code !== "bad_log" || !older) throw error;
      // Sound in itself, it contradicts what is remembered: a restored box, or one that lies.
      const shown = readDirectory(found, want, null).head;
      await this.logs.contradict(host, older, note);
      this.core.alarm({ kind: "log", host, before: older.size, after: shown.size });
      throw error;
    }
    if (!older || known.head.size > older.size) this.logs.keep(host, known.head, note);
    return known;
  }

  /** What an address showed before: an older entry of the same identity is refused. */
  #remembered(name: string, host: string): Pick<Wanted, "known"> {
    const conversation = this.core.chats.byAddress(name, host);
    const person = conversation === undefined ? undefined : this.person(conversation);
    const known = person && this.entryOf(person);
    return known ? { known } : {};
  }

  /** The bundle of a device as last looked up. */
  bundle(device: Uint8Array): Bundle | undefined {
    return this.#bundles.get(toHex(device));
  }

  /** One one-time prekey of each device, or null where only the last-resort key serves. */
  async take(address: string, devices: Device[]): Promise<Map<string, OneTimePrekey | null>> {
    const ids = devices.map((device) => device.device);
    const taken = await this.core.wire.post<Taken>("/v1/people/prekeys", { address, devices: ids });
    const prekeys = new Map<string, OneTimePrekey | null>();
    for (const device of devices) {
      const one = taken.prekeys.find((each) => equal(each.device, device.device))?.prekey ?? null;
      prekeys.set(toHex(device.device), one && isGood(one, device) ? one : null);
    }
    return prekeys;
  }

  /** The entry as it is remembered. */
  entryOf(person: PersonRecord): Entry | undefined {
    if (person.entry.length === 0) return undefined;
    const known = this.#read.get(person.entry);
    if (known) return known;
    try {
      const entry = readEntry(person.entry);
      this.#read.set(person.entry, entry);
      return entry;
    } catch {
      return undefined;
    }
  }

  isFresh(person: PersonRecord): boolean {
    return person.entry.length > 0 && this.core.now() - person.checked < FRESH;
  }

  /** Look a correspondent up again; notices a changed identity. Returns the entry that holds. */
  async refresh(conversation: string): Promise<Entry> {
    const person = this.person(conversation);
    if (!person) throw new Refusal("no_contact", "", 404);
    const found = await this.find(`${person.name}@${person.onion}`);
    const same = equal(found.entry.identity, person.identity);
    const changed = !same && !(person.change && equal(person.change.identity, found.entry.identity));
    await this.core.ledger.run((batch) => {
      batch.change<PersonRecord>(names.person(conversation), (now) => {
        if (!now) return now;
        // Another device of ours may have seen a newer one meanwhile.
        const newer = (this.entryOf(now)?.revision ?? 0) > found.entry.revision;
        const entry = newer ? now.entry : found.signed;
        if (same) return { ...now, entry, checked: this.core.now(), change: null };
        return { ...now, change: { identity: found.entry.identity, hour: this.core.hour() } };
      });
      if (changed) this.core.chats.notice(batch, conversation, "key_changed");
      batch.after.push(() => this.core.chats.get(conversation)?.refresh());
    });
    return found.entry;
  }

  person(conversation: string): PersonRecord | undefined {
    return this.core.vault.peek(names.person(conversation)) as unknown as PersonRecord | undefined;
  }
}

/** Whether a device signed this prekey. */
export function isGood(prekey: OneTimePrekey, device: Device): boolean {
  try {
    checkOneTime(prekey, device);
    return true;
  } catch {
    return false;
  }
}
