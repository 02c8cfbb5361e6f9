/** What others find of us: the entry with our devices, this device's bundle, and a stock of one-time prekeys. */
import type { Sessions } from "../../protocol/account.ts";
import { toBase64url } from "../../protocol/base64url.ts";
import { equal, toHex } from "../../protocol/bytes.ts";
import { encode } from "../../protocol/cbor.ts";
import type { Entry, Published } from "../../protocol/directory.ts";
import { hash, signingPublic } from "../../protocol/keys.ts";
import {
  bundleOf,
  KEEP_HOURS,
  makeLasting,
  makeOneTimes,
  readEntry,
  ROTATE_HOURS,
  signBundle,
  signEntry,
} from "../../protocol/prekeys.ts";
import { readPerson } from "../../protocol/names.ts";
import { Refusal } from "../api.ts";
import { random } from "../random.ts";
import { turn } from "../turns.ts";
import type { Core } from "./core.ts";
import { names, type KeysRecord, type PrekeysRecord } from "./records.ts";

const STOCK = 100;
/** Below this the stock is filled up again. */
const LOW = 60;
/** Prekeys made between two changes of the vault. */
const SLICE = 20;
const TRIES = 5;

export class Upkeep {
  #stocking: Promise<void> | undefined;
  /** Work in a slice; tests ask for fewer. */
  stock = STOCK;
  /** Whether what others find was right at least once since the start. */
  settled = false;

  constructor(readonly core: Core) {}

  /** Make what others find agree with what we are. */
  async settle(): Promise<void> {
    const published = await this.#entry();
    await this.#rotate();
    await this.core.routes.settle();
    await this.#bundle();
    this.settled = true;
    if (published.one_time < Math.min(LOW, this.stock))
      void this.fill(published.one_time).catch(() => undefined);
  }

  /** The signed entry names exactly our devices. */
  async #entry(): Promise<Published> {
    for (let turn = 1; ; turn++) {
      const published = await this.core.wire.get<Published>("/v1/prekeys");
      const entry = published.entry && readEntry(published.entry);
      if (entry && this.#holds(entry)) return published;
      try {
        await this.core.wire.post<Published>("/v1/prekeys", { entry: this.#signed(entry) });
      } catch (error) {
        if (!(error instanceof Refusal) || error.code !== "old_entry" || turn >= TRIES) throw error;
      }
    }
  }

  #holds(entry: Entry): boolean {
    const mine = this.core.account().devices;
    return (
      equal(entry.identity, this.core.identity()) &&
      entry.devices.length === mine.length &&
      mine.every((row) =>
        entry.devices.some((one) => equal(one.device, row.device) && equal(one.agreement, row.agreement)),
      )
    );
  }

  #signed(before: Entry | null): Uint8Array {
    const { seed, name, onion, devices } = this.core.account();
    return signEntry(seed, {
      version: 1,
      name,
      onion: readPerson(`${name}@${onion}`)!.onion,
      identity: signingPublic(seed),
      revision: (before?.revision ?? 0) + 1,
      issued_hour: this.core.hour(),
      devices: devices.map(({ device, signing, agreement, added }) => ({
        device,
        signing,
        agreement,
        added_hour: added,
      })),
    });
  }

  /** An entry without devices: the account is about to be deleted. */
  async withdraw(): Promise<void> {
    const published = await this.core.wire.get<Published>("/v1/prekeys");
    if (!published.entry) return;
    const before = readEntry(published.entry);
    const entry = signEntry(this.core.account().seed, {
      ...before,
      revision: before.revision + 1,
      issued_hour: this.core.hour(),
      devices: [],
    });
    await this.core.wire.post("/v1/prekeys", { entry });
  }

  async #rotate(): Promise<void> {
    const hour = this.core.hour();
    const current = this.core.keys().lasting[0]!;
    if (hour - current.issued_hour < ROTATE_HOURS) return;
    await this.core.ledger.run(async (batch) => {
      const keys = (await batch.read<KeysRecord>(names.keys(this.core.seat.id)))!;
      const next = makeLasting(current.prekey_id + 1, current.kem_id + 1, hour, random);
      const kept = keys.lasting.filter((one) => hour - one.issued_hour < KEEP_HOURS);
      batch.set(names.keys(this.core.seat.id), { ...keys, lasting: [next, ...kept] });
    });
  }

  async #bundle(): Promise<void> {
    const keys = this.core.keys();
    const routes = [...this.core.routes.requests];
    const lasting = keys.lasting[0]!;
    const shown = hash(encode([lasting.prekey_id, routes])).slice(0, 8);
    if (equal(shown, keys.shown)) return;
    const bundle = bundleOf(this.core.identity(), this.core.seat.device, lasting, routes, this.core.hour());
    await this.core.wire.post("/v1/prekeys", { bundle: signBundle(keys.signing, bundle) });
    this.core.ledger.later((batch) =>
      batch.set(names.keys(this.core.seat.id), { ...this.core.keys(), shown }),
    );
  }

  /** Fill the stock of one-time prekeys, in slices that leave the page its turns. */
  fill(left: number): Promise<void> {
    this.#stocking ??= this.#fill(left).finally(() => (this.#stocking = undefined));
    return this.#stocking;
  }

  async #fill(left: number): Promise<void> {
    for (let there = left; there < this.stock && !this.core.closed;) {
      const count = Math.min(SLICE, this.stock - there);
      const { next } = this.#prekeys();
      const keys = this.core.keys();
      const made = await makeOneTimes(this.core.seat.device, keys.signing, next, count, random, turn);
      await this.core.ledger.run(async (batch) => {
        const now = (await batch.read<PrekeysRecord>(names.prekeys(this.core.seat.id)))!;
        // The box gives out a hundred: older ones than twice that will not come any more.
        const secrets = [...now.secrets, ...made.secrets].slice(-2 * STOCK);
        batch.set(names.prekeys(this.core.seat.id), { v: 1, next: next + count, secrets });
      });
      const published = await this.core.wire.post<Published>("/v1/prekeys", { one_time: made.prekeys });
      if (published.one_time <= there) return;
      there = published.one_time;
    }
  }

  #prekeys(): PrekeysRecord {
    return this.core.vault.peek(names.prekeys(this.core.seat.id)) as unknown as PrekeysRecord;
  }

  /** Take one of our other devices out of the entry. */
  async removeDevice(id: string): Promise<void> {
    if (id === this.core.seat.id) throw new Refusal("wrong_state", "", 409);
    // Its sign-ins first: a browser that finds its seat gone would otherwise sit down anew.
    const { sessions } = await this.core.wire.get<Sessions>("/v1/sessions");
    for (const row of sessions)
      if (row.device && toHex(row.device) === id && !row.current)
        await this.core.wire.remove(`/v1/sessions/${toBase64url(row.session)}`);
    await this.core.ledger.run((batch) => {
      batch.change<ReturnType<Core["account"]>>(names.account, (account) => {
        if (!account) return account;
        return { ...account, devices: account.devices.filter((row) => toHex(row.device) !== id) };
      });
      batch.change(names.head(id), () => undefined);
    });
    await this.#entry();
  }
}
