/**
 * What this browser may remember: named values, and sealed vault records. It is a convenience and never the
 * truth: in private windows IndexedDB can be missing, fail, or forget, and everything goes on without it.
 */
import type { IDBPDatabase } from "idb";

export interface CachedRecord {
  id: string;
  version: number;
  data: Uint8Array;
}

export interface Locker {
  /** Whether it will be there after a restart, as far as one can tell. */
  lasting(): Promise<boolean>;
  get<T>(key: string): Promise<T | undefined>;
  put(key: string, value: unknown): Promise<void>;
  remove(key: string): Promise<void>;
  records(ids: string[]): Promise<(CachedRecord | undefined)[]>;
  /** Records, and values that go with them: all are there after it, or none. */
  putRecords(records: CachedRecord[], gone: string[], values?: Record<string, unknown>): Promise<void>;
  /** Forget all sealed records. */
  forgetRecords(): Promise<void>;
  /** Forget everything. */
  clear(): Promise<void>;
}

/** A locker that lives as long as the page. */
export class MemoryLocker implements Locker {
  readonly values = new Map<string, unknown>();
  readonly sealed = new Map<string, CachedRecord>();

  lasting(): Promise<boolean> {
    return Promise.resolve(false);
  }
  get<T>(key: string): Promise<T | undefined> {
    return Promise.resolve(this.values.get(key) as T | undefined);
  }
  put(key: string, value: unknown): Promise<void> {
    this.values.set(key, value);
    return Promise.resolve();
  }
  remove(key: string): Promise<void> {
    this.values.delete(key);
    return Promise.resolve();
  }
  records(ids: string[]): Promise<(CachedRecord | undefined)[]> {
    return Promise.resolve(ids.map((id) => this.sealed.get(id)));
  }
  putRecords(records: CachedRecord[], gone: string[], values: Record<string, unknown> = {}): Promise<void> {
    for (const [key, value] of Object.entries(values)) this.values.set(key, value);
    for (const record of records) this.sealed.set(record.id, record);
    for (const id of gone) this.sealed.delete(id);
    return Promise.resolve();
  }
  forgetRecords(): Promise<void> {
    this.sealed.clear();
    return Promise.resolve();
  }
  clear(): Promise<void> {
    this.values.clear();
    this.sealed.clear();
    return Promise.resolve();
  }
}

const NAME = "island";
/** Milliseconds; some private windows neither open a database nor say that they will not. */
const PATIENCE = 3_000;

/** The browser's own locker; falls back to memory at the first failure. */
export class BrowserLocker implements Locker {
  #memory = new MemoryLocker();
  #database: Promise<IDBPDatabase | undefined> | undefined;

  async lasting(): Promise<boolean> {
    return (await this.#open()) !== undefined;
  }

  async get<T>(key: string): Promise<T | undefined> {
    return this.#try(
      async (database) => (await database.get("values", key)) as T | undefined,
      () => this.#memory.get<T>(key),
    );
  }

  async put(key: string, value: unknown): Promise<void> {
    await this.#try(
      async (database) => void (await database.put("values", value, key)),
      () => this.#memory.put(key, value),
    );
  }

  async remove(key: string): Promise<void> {
    await this.#memory.remove(key);
    await this.#try(
      (database) => database.delete("values", key),
      () => Promise.resolve(),
    );
  }

  async records(ids: string[]): Promise<(CachedRecord | undefined)[]> {
    return this.#try(
      async (database) => {
        const store = database.transaction("records").store;
        return Promise.all(ids.map((id) => store.get(id) as Promise<CachedRecord | undefined>));
      },
      () => this.#memory.records(ids),
    );
  }

  async putRecords(
    records: CachedRecord[],
    gone: string[],
    values: Record<string, unknown> = {},
  ): Promise<void> {
    await this.#try(
      async (database) => {
        const change = database.transaction(["records", "values"], "readwrite");
        const store = change.objectStore("records");
        for (const record of records) void store.put(record, record.id);
        for (const id of gone) void store.delete(id);
        for (const [key, value] of Object.entries(values)) void change.objectStore("values").put(value, key);
        await change.done;
      },
      () => this.#memory.putRecords(records, gone, values),
    );
  }

  async forgetRecords(): Promise<void> {
    await this.#memory.forgetRecords();
    await this.#try(
      (database) => database.clear("records"),
      () => Promise.resolve(),
    );
  }

  async clear(): Promise<void> {
    await this.#memory.clear();
    await this.#try(
      async (database) => {
        await database.clear("records");
        await database.clear("values");
      },
      () => Promise.resolve(),
    );
  }

  async #try<T>(run: (database: IDBPDatabase) => Promise<T>, otherwise: () => Promise<T>): Promise<T> {
    const database = await this.#open();
    if (database) {
      try {
        return await run(database);
      } catch {
        this.#database = Promise.resolve(undefined);
      }
    }
    return otherwise();
  }

  #open(): Promise<IDBPDatabase | undefined> {
    this.#database ??= open();
    return this.#database;
  }
}

async function open(): Promise<IDBPDatabase | undefined> {
  if (typeof indexedDB === "undefined") return undefined;
  const { openDB } = await import("idb");
  const opening = openDB(NAME, 1, {
    upgrade(database) {
      database.createObjectStore("values");
      database.createObjectStore("records");
    },
  }).catch(() => undefined);
  const patience = new Promise<undefined>((done) => setTimeout(() => done(undefined), PATIENCE));
  return Promise.race([opening, patience]);
}
