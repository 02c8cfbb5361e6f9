/**
 * The vault: sealed records on the box, read by name, changed by compare-and-swap in batches. What was read
 * stays in memory; the browser's locker holds sealed copies. A change is a function of the present value, so
 * that a conflict is solved by reading again and running it again. "Owned" records are written by one device
 * only: a conflict there means that somebody else has taken its seat, or that our own write was done and its
 * answer was lost.
 */
import type { Value } from "../../protocol/cbor.ts";
import { toHex } from "../../protocol/bytes.ts";
import { openRecord, openVault, recordId, sealRecord, type VaultKeys } from "../../protocol/record.ts";
import type { Dispatch } from "../../protocol/post.ts";
import type { Change, Changed, Left, Put, Records, Remove, SealedRecord } from "../../protocol/vault.ts";
import { Refusal } from "../api.ts";
import type { CachedRecord, Locker } from "../locker.ts";
import { random } from "../random.ts";
import type { CallOptions, Wire } from "../wire.ts";

/** The seat was taken by another browser: whatever is in memory of it is stale. */
export class Displaced extends Error {}

/** What a record becomes: a value, `undefined` to remove it, or itself unchanged to leave it alone. */
export type Step = (now: Value | undefined) => Value | undefined;

export interface Edit {
  name: string;
  step: Step;
  owned?: boolean;
}

export interface CommitOptions extends CallOptions {
  /** Whether an owned record that is in the way is our own write of this very batch. */
  written?: () => boolean;
  /** What leaves with the change. */
  dispatches?: Dispatch[];
  /** What of the device's queue was read by it. */
  done?: number[];
  /** Called as the change leaves. */
  underway?: () => void;
}

interface Known {
  version: number;
  value: Value | undefined;
  /** Octets it takes, sealed; 0 when it is not there. */
  octets: number;
}

const ABSENT: Known = { version: 0, value: undefined, octets: 0 };
const READ_AT_ONCE = 128;
const TRIES = 12;
const REVISION = "vault-revision";

export class Vault {
  /** Called with names of records that others changed, whether a pull or a conflict brought them. */
  changed: (names: string[]) => void = () => {};
  #known = new Map<string, Known>();
  #names = new Map<string, string>();
  #revision = 0;
  /** What a pull has brought, also one that was cut off, and nobody was told of. */
  #untold: string[] = [];
  /** Records in the locker are good as of `#revision`. */
  #cached = false;

  private constructor(
    readonly wire: Wire,
    readonly keys: VaultKeys,
    readonly locker: Locker,
    readonly account: string,
  ) {}

  static async open(wire: Wire, vaultKey: Uint8Array, locker: Locker, account: string): Promise<Vault> {
    return new Vault(wire, await openVault(vaultKey), locker, account);
  }

  /** Bring the locker's sealed copies up to date, if there are any; false when the vault is older than they are. */
  async refresh(epoch: string): Promise<boolean> {
    const kept = await this.locker.get<{ account: string; epoch: string; revision: number }>(REVISION);
    if (!kept || kept.account !== this.account || kept.epoch !== epoch) {
      await this.locker.forgetRecords();
      await this.#noteRevision(epoch, 0);
      return true;
    }
    this.#epoch = epoch;
    try {
      await this.#follow(kept.revision, (records) => this.#cache(records));
      this.#cached = true;
      return true;
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== "vault_old") throw error;
      await this.locker.forgetRecords();
      await this.#noteRevision(epoch, 0);
      const now = await this.wire.post<Records>("/v1/vault/read", { ids: [] });
      return now.revision >= kept.revision;
    }
  }

  #epoch = "";

  get revision(): number {
    return this.#revision;
  }

  /** The values of these records, undefined for those that are not there. */
  async read(names: readonly string[]): Promise<(Value | undefined)[]> {
    const missing = [...new Set(names)].filter((name) => !this.#known.has(name));
    await this.#load(missing);
    return names.map((name) => this.#known.get(name)?.value);
  }

  /** A value that was read before, without asking. */
  peek(name: string): Value | undefined {
    return this.#known.get(name)?.value;
  }

  has(name: string): boolean {
    return this.#known.has(name);
  }

  /** Version of a record that was read before; 0 when it never was there. */
  version(name: string): number {
    return this.#known.get(name)?.version ?? 0;
  }

  /** Octets of a record that was read before, sealed; 0 when it is not there. */
  octets(name: string): number {
    return this.#known.get(name)?.octets ?? 0;
  }

  /** Drop a record from memory (an old stretch of history). */
  drop(name: string): void {
    this.#known.delete(name);
  }

  /**
   * Change records, all or none; what became of the dispatches, nothing where the answer was lost. Rejects
   * Displaced, or Refusal (offline: it may or may not have happened; the same edits again are safe).
   */
  async commit(edits: Edit[], options: CommitOptions = {}): Promise<Left[]> {
    const { written = () => false, dispatches = [], done = [], underway, ...call } = options;
    await this.read(edits.map((edit) => edit.name));
    for (let turn = 1; ; turn++) {
      // The answer of an earlier try may have been lost, and its effect read by a pull.
      if (written()) return [];
      const before = new Map(edits.map((edit) => [edit.name, this.version(edit.name)]));
      const { put, remove, after } = await this.#prepare(edits);
      if (put.length + remove.length === 0) return [];
      const change: Change = { put, remove };
      if (dispatches.length > 0) change.dispatches = dispatches;
      if (done.length > 0) change.done = done;
      try {
        const asked = this.wire.post<Changed>("/v1/vault", change, call);
        underway?.();
        const answer = await asked;
        this.#committed(after, put, answer);
        return answer.left;
      } catch (error) {
        if (!(error instanceof Refusal) || error.code !== "vault_conflict" || turn >= TRIES) throw error;
        const newer = await this.#reread(before);
        if (!edits.some((edit) => edit.owned && newer.includes(edit.name))) continue;
        if (written()) return [];
        throw new Displaced();
      }
    }
  }

  /**
   * Read what was in the way; those that are another than they were. All else that others wrote comes with it: no
   * record is known as it was after one that it refers to.
   */
  async #reread(before: ReadonlyMap<string, number>): Promise<string[]> {
    const newer = (): string[] =>
      [...before.keys()].filter((name) => this.version(name) !== before.get(name));
    await this.pull().catch((error: unknown) => {
      if ((error as { code?: string }).code !== "vault_old") throw error;
    });
    if (newer().length === 0) {
      // What is there is older than what we know: the box was set back.
      await this.#load([...before.keys()]);
      this.changed(newer());
    }
    return newer();
  }

  /** Read what other devices changed since; tells `changed`. Refusal vault_old when the box was set back. */
  async pull(): Promise<void> {
    try {
      await this.#follow(this.#revision, async (records) => {
        await this.#cache(records);
        for (const record of records) {
          const name = this.#names.get(toHex(record.id));
          if (name === undefined || !this.#known.has(name) || record.version <= this.version(name)) continue;
          this.#untold.push(await this.#take(record));
        }
      });
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== "vault_old") throw error;
      this.#untold.push(...(await this.#readAnew(error)));
    }
    const names = this.#untold.splice(0);
    if (names.length > 0) this.changed(names);
  }

  /** Read again all that is known, since the box does not tell the way from there to now; what has changed. */
  async #readAnew(old: Refusal): Promise<string[]> {
    const { revision } = await this.wire.post<Records>("/v1/vault/read", { ids: [] });
    if (revision < this.#revision) throw old;
    await this.locker.forgetRecords();
    await this.#noteRevision(this.#epoch, revision);
    const before = new Map([...this.#known].map(([name, known]) => [name, known.version]));
    const all = [...before.keys()];
    for (let at = 0; at < all.length; at += READ_AT_ONCE)
      await this.#loadSome(all.slice(at, at + READ_AT_ONCE));
    const changed = all.filter((name) => this.version(name) !== before.get(name));
    const back = (name: string): boolean => this.version(name) > 0 && this.version(name) < before.get(name)!;
    if (changed.some(back)) throw old;
    return changed;
  }

  async #prepare(edits: Edit[]): Promise<{ put: Put[]; remove: Remove[]; after: Map<string, Known> }> {
    const remove: Remove[] = [];
    const after = new Map<string, Known>();
    for (const edit of edits) {
      const known = after.get(edit.name) ?? this.#known.get(edit.name) ?? ABSENT;
      const value = edit.step(known.value);
      if (value === known.value) continue;
      const base = this.#known.get(edit.name)?.version ?? 0;
      after.set(edit.name, { version: base + 1, value, octets: 0 });
    }
    const sealing: Promise<Put>[] = [];
    for (const [name, known] of after) {
      const id = this.#id(name);
      if (known.value !== undefined) sealing.push(this.#seal(id, known));
      else if (this.#known.get(name)?.value !== undefined) remove.push({ id, base: known.version - 1 });
      else after.delete(name);
    }
    // All at once: the browser seals beside the page, and each answer takes a turn to come.
    return { put: await Promise.all(sealing), remove, after };
  }

  async #seal(id: Uint8Array, known: Known): Promise<Put> {
    const data = await sealRecord(this.keys, id, known.version, known.value, random);
    known.octets = data.length;
    return { id, base: known.version - 1, data };
  }

  /** What was written is known. The locker's copies follow by themselves: nobody waits for a convenience. */
  #committed(after: Map<string, Known>, put: Put[], answer: Changed): void {
    for (const [name, known] of after) this.#known.set(name, known);
    const gone = [...after]
      .filter(([, known]) => known.value === undefined)
      .map(([name]) => toHex(this.#id(name)));
    const kept = put.map((one) => ({ id: toHex(one.id), version: one.base + 1, data: one.data }));
    // A revision that is not the next one hides changes of others: those are still to be pulled.
    const next = answer.revision === this.#revision + 1;
    if (next) this.#revision = answer.revision;
    void this.locker.putRecords(kept, gone, next ? { [REVISION]: this.#noted() } : {});
  }

  async #load(names: readonly string[]): Promise<void> {
    let missing = [...names];
    if (this.#cached) missing = await this.#loadCached(missing);
    for (let at = 0; at < missing.length; at += READ_AT_ONCE)
      await this.#loadSome(missing.slice(at, at + READ_AT_ONCE));
  }

  async #loadCached(names: string[]): Promise<string[]> {
    const fresh = names.filter((name) => !this.#known.has(name));
    const records = await this.locker.records(fresh.map((name) => toHex(this.#id(name))));
    const left = names.filter((name) => this.#known.has(name));
    for (const [at, name] of fresh.entries()) {
      const record = records[at];
      const value = record && (await this.#open(name, record.version, record.data).catch(() => undefined));
      const octets = record?.data.length ?? 0;
      if (record && value !== undefined) this.#known.set(name, { version: record.version, value, octets });
      else left.push(name);
    }
    return left;
  }

  async #loadSome(names: string[]): Promise<void> {
    const wanted = new Map(names.map((name) => [toHex(this.#id(name)), name]));
    while (wanted.size > 0) {
      const ids = [...wanted.values()].map((name) => this.#id(name));
      const answer = await this.wire.post<Records>("/v1/vault/read", { ids });
      if (this.#revision === 0) await this.#noteRevision(this.#epoch, answer.revision);
      await this.#cache(answer.records);
      for (const record of answer.records) {
        if (wanted.delete(toHex(record.id))) await this.#take(record);
      }
      if (answer.more && answer.records.length > 0) continue;
      for (const name of wanted.values()) this.#known.set(name, ABSENT);
      return;
    }
  }

  async #follow(after: number, take: (records: SealedRecord[]) => Promise<void>): Promise<void> {
    for (let at = after; ;) {
      const answer = await this.wire.get<Records>(`/v1/vault?after=${at}`);
      await take(answer.records);
      at = answer.more ? (answer.records.at(-1)?.revision ?? answer.revision) : answer.revision;
      await this.#noteRevision(this.#epoch, at);
      if (!answer.more || answer.records.length === 0) return;
    }
  }

  async #take(record: SealedRecord): Promise<string> {
    const name = this.#names.get(toHex(record.id))!;
    const value = record.data === null ? undefined : await this.#open(name, record.version, record.data);
    this.#known.set(name, { version: record.version, value, octets: record.data?.length ?? 0 });
    return name;
  }

  #open(name: string, version: number, data: Uint8Array): Promise<Value> {
    return openRecord(this.keys, this.#id(name), version, data);
  }

  async #cache(records: SealedRecord[]): Promise<void> {
    const kept: CachedRecord[] = [];
    const gone: string[] = [];
    for (const { id, version, data } of records)
      if (data === null) gone.push(toHex(id));
      else kept.push({ id: toHex(id), version, data });
    await this.locker.putRecords(kept, gone);
  }

  async #noteRevision(epoch: string, revision: number): Promise<void> {
    this.#epoch = epoch;
    this.#revision = revision;
    if (revision > 0) await this.locker.put(REVISION, this.#noted());
    else await this.locker.remove(REVISION);
  }

  #noted(): { account: string; epoch: string; revision: number } {
    return { account: this.account, epoch: this.#epoch, revision: this.#revision };
  }

  #ids = new Map<string, Uint8Array>();

  #id(name: string): Uint8Array {
    let id = this.#ids.get(name);
    if (!id) {
      id = recordId(this.keys, name);
      this.#ids.set(name, id);
      this.#names.set(toHex(id), name);
    }
    return id;
  }
}
