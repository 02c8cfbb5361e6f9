/**
 * The account's chains to read one channel by, as the vault has them. They move on in memory with what is read, and
 * are stored a little later: where another device of the account stored them meanwhile, its are taken. What is lost by
 * that, or by a page that is closed, is only how far the heads were: it is read from there again.
 */
import type { Value } from "../../protocol/cbor.ts";
import { SenderKeys, type Heard, type Posted } from "../../protocol/groupCipher.ts";
import { Refusal } from "../api.ts";
import type { Core } from "../messenger/core.ts";
import { NEW_CHANNEL, names, type ChannelRecord } from "../messenger/records.ts";
import { readingName, type ChannelKeys } from "./keys.ts";

/** Milliseconds that heads wait for others, to be stored together. */
const TOGETHER = 2_000;
const IDENTITY = 32;

export class Readings {
  #cipher: SenderKeys | undefined;
  /** Versions of the records that the cipher was made of, by their full names. */
  #versions = new Map<string, number>();
  #unsaved = new Map<string, unknown>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly core: Core,
    readonly keys: ChannelKeys,
    readonly id: string,
  ) {}

  /** What these entries say, in their order. */
  async open(posted: readonly Posted[], pause: (done: number) => Promise<void>): Promise<Heard[]> {
    const cipher = await this.#current();
    const heard = await cipher.openAll(posted, pause);
    this.#changed(cipher);
    return heard;
  }

  /** Let go of keys before the first iteration left of each chain; nothing is left of those that are not named. */
  async forget(oldest: ReadonlyMap<string, number>): Promise<void> {
    await this.save();
    const cipher = await this.#current();
    cipher.forget(oldest);
    this.#changed(cipher);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Store how far the heads are. */
  async save(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const some = this.#unsaved;
    if (some.size === 0) return;
    this.#unsaved = new Map();
    const { vault, ledger } = this.core;
    try {
      await ledger.run((batch) => {
        for (const [name, value] of some) {
          const version = this.#versions.get(name);
          batch.change(name, () => {
            if (vault.version(name) !== version) throw new Refusal("vault_conflict", "", 409);
            return value;
          });
        }
        batch.after.push(() => {
          for (const name of some.keys()) this.#versions.set(name, vault.version(name));
        });
      });
    } catch {
      this.#cipher = undefined;
    }
  }

  #changed(cipher: SenderKeys): void {
    for (const [name, value] of cipher.changes()) this.#unsaved.set(names.channelKeys(this.id, name), value);
    if (this.#unsaved.size > 0)
      this.#timer ??= setTimeout(() => void this.save().catch(() => undefined), TOGETHER);
  }

  async #names(): Promise<string[]> {
    const [value] = await this.core.vault.read([names.channel(this.id)]);
    const { devices } = (value as unknown as ChannelRecord | undefined) ?? NEW_CHANNEL;
    const whose = devices.map((both) => ({
      identity: both.subarray(0, IDENTITY),
      device: both.subarray(IDENTITY),
    }));
    const all = new Set([this.keys.own, ...whose].map(readingName));
    return [...all].map((name) => names.channelKeys(this.id, name));
  }

  /** The cipher of what the vault has now. */
  async #current(): Promise<SenderKeys> {
    const { vault } = this.core;
    const all = await this.#names();
    const values = await vault.read(all);
    const same =
      all.length === this.#versions.size &&
      all.every((name) => this.#versions.get(name) === vault.version(name));
    if (this.#cipher && same) return this.#cipher;
    const cipher = new SenderKeys(this.keys.own);
    const prefix = names.channelKeys(this.id, "");
    const there = all.flatMap((name, at): [string, Value][] =>
      values[at] === undefined ? [] : [[name.slice(prefix.length), values[at]]],
    );
    cipher.load(new Map(there));
    this.#versions = new Map(all.map((name) => [name, vault.version(name)]));
    this.#unsaved.clear();
    this.#cipher = cipher;
    return cipher;
  }
}
