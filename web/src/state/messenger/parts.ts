/**
 * Sealed parts of attachments on their way, in this browser's locker: what an upload has still to hand over, what
 * a download has already. They are envelopes as the box has them, readable with the key in the vault alone.
 * Within a bound: downloads give way to uploads, the oldest first, and nothing stays longer than it could be wanted.
 */
import { concat, toHex } from "../../protocol/bytes.ts";
import type { Core } from "./core.ts";

/** Envelopes in one part, and in one request: half a megabyte. */
export const AT_ONCE = 32;
/** Octets in all: three of the largest files. */
export const ROOM = 96 * 1024 * 1024;
/** Octets of a chunk's envelope. */
export const CHUNK = 16_320;
const SECONDS = 14 * 24 * 3600;

type Way = "up" | "down";

interface Row {
  id: string;
  way: Way;
  octets: number;
  at: number;
}

export class Parts {
  #rows: Row[] = [];
  #loaded: Promise<void> | undefined;

  constructor(
    readonly core: Core,
    readonly room = ROOM,
  ) {}

  get #list(): string {
    return `parts/${this.#account}`;
  }

  get #account(): string {
    return toHex(this.core.session.account);
  }

  #key(id: string, number: number | "ids"): string {
    return `part/${this.#account}/${id}/${number}`;
  }

  load(): Promise<void> {
    this.#loaded ??= this.core.options.locker
      .get<Row[]>(this.#list)
      .then((rows) => void (this.#rows = [...(rows ?? []), ...this.#rows]));
    return this.#loaded;
  }

  /** Ids (hex) of the attachments of which something is here. */
  of(way: Way): string[] {
    return this.#rows.filter((row) => row.way === way).map((row) => row.id);
  }

  has(id: string): boolean {
    return this.#rows.some((row) => row.id === id);
  }

  /** Make room for an attachment; false when there is none, or when this browser would forget an upload anyway. */
  async reserve(id: string, way: Way, octets: number): Promise<boolean> {
    await this.load();
    if (this.has(id)) return true;
    const now = this.core.now();
    if (octets > this.room || (way === "up" && !(await this.core.options.locker.lasting()))) return false;
    const old = this.#rows.filter((row) => now - row.at > SECONDS);
    const yielding = this.#rows.filter((row) => row.way === "down" && !old.includes(row));
    for (const row of old) await this.drop(row.id);
    while (this.#octets + octets > this.room && yielding.length > 0) await this.drop(yielding.shift()!.id);
    if (this.#octets + octets > this.room) return false;
    this.#rows.push({ id, way, octets, at: now });
    await this.#save();
    return true;
  }

  get #octets(): number {
    return this.#rows.reduce((sum, row) => sum + row.octets, 0);
  }

  /** Keep a part, or the list of all ids, once there is room for it. */
  async put(id: string, number: number | "ids", pieces: readonly Uint8Array[]): Promise<void> {
    if (this.has(id)) await this.core.options.locker.put(this.#key(id, number), concat(...pieces));
  }

  async get(id: string, number: number | "ids"): Promise<Uint8Array[] | undefined> {
    await this.load();
    if (!this.has(id)) return undefined;
    const all = await this.core.options.locker.get<Uint8Array>(this.#key(id, number));
    const size = number === "ids" ? 16 : CHUNK;
    if (!(all instanceof Uint8Array) || all.length % size !== 0) return undefined;
    return Array.from({ length: all.length / size }, (_, at) => all.slice(at * size, (at + 1) * size));
  }

  async drop(id: string): Promise<void> {
    await this.load();
    const row = this.#rows.find((one) => one.id === id);
    if (!row) return;
    this.#rows = this.#rows.filter((one) => one !== row);
    await this.#save();
    const { locker } = this.core.options;
    await locker.remove(this.#key(id, "ids"));
    for (let at = 0; at * AT_ONCE * CHUNK < row.octets; at++) await locker.remove(this.#key(id, at));
  }

  async #save(): Promise<void> {
    const { locker } = this.core.options;
    if (this.#rows.length > 0) await locker.put(this.#list, [...this.#rows]);
    else await locker.remove(this.#list);
  }
}
