/** Files on their way from this browser to the box: in pieces, each asked for again until it is there. */
import { SvelteMap } from "svelte/reactivity";
import type { OutboxItem, Uploaded } from "../protocol/desk.ts";
import { Refusal, sentence } from "./api.ts";
import * as desk from "./desk.ts";
import { read, write } from "./drafts.svelte.ts";

/** Octets of one request; the box takes at most 1 MiB. */
export const PIECE = 512 * 1024;
const PAUSES = [1_000, 2_000, 5_000, 10_000, 20_000];

export class Upload {
  offset = $state(0);
  /** Why it stands still, in a sentence. */
  problem = $state<string | undefined>();
  /** False when it gave up or was stopped; it can be taken up again with the same file. */
  running = $state(true);
  readonly #stop = new AbortController();

  constructor(
    readonly id: string,
    readonly file: File,
  ) {
    this.offset = Math.min(Number(read(marker(id))) || 0, file.size);
  }

  /** Send until everything is there; true when it is. */
  async run(): Promise<boolean> {
    for (let failures = 0; ;) {
      try {
        this.#arrived(await this.#piece());
        failures = 0;
        this.problem = undefined;
        if (this.offset >= this.file.size) return this.#end();
      } catch (error) {
        if (this.#stop.signal.aborted) return this.#halt();
        if (this.#resumesElsewhere(error)) continue;
        this.problem = sentence(error);
        if (!passing(error)) return this.#halt();
        await this.#pause(PAUSES[Math.min(failures++, PAUSES.length - 1)]!);
      }
    }
  }

  /** Stop sending (the item was cancelled). */
  stop(): void {
    this.#stop.abort();
  }

  #piece(): Promise<Uploaded> {
    const piece = this.file.slice(this.offset, this.offset + PIECE);
    return desk.upload(this.id, this.offset, piece, this.#stop.signal);
  }

  #arrived(answer: Uploaded): void {
    this.offset = answer.offset;
    write(marker(this.id), String(answer.offset));
  }

  /** The box says at which octet it goes on; false when it said something else. */
  #resumesElsewhere(error: unknown): boolean {
    if (!(error instanceof Refusal) || error.code !== "offset") return false;
    const offset = error.details["offset"];
    if (typeof offset !== "number" || offset === this.offset) return false;
    this.offset = offset;
    return true;
  }

  #end(): boolean {
    this.running = false;
    write(marker(this.id), "");
    return true;
  }

  #halt(): boolean {
    this.running = false;
    return false;
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((done) => {
      setTimeout(done, milliseconds);
      this.#stop.signal.addEventListener("abort", () => done(), { once: true });
    });
  }
}

/** Every upload of this page, by the id of its item. */
export const uploads = new SvelteMap<string, Upload>();

/** Begin, or go on with, the upload of `file` for item `id`. */
export async function startUpload(id: string, file: File): Promise<boolean> {
  uploads.get(id)?.stop();
  const upload = new Upload(id, file);
  uploads.set(id, upload);
  const done = await upload.run();
  if (done) uploads.delete(id);
  return done;
}

/** Whether `file` can be the one whose upload stopped. */
export function continues(item: OutboxItem, file: File): boolean {
  return item.name === file.name && item.size === file.size;
}

function passing(error: unknown): boolean {
  return error instanceof Refusal && (error.status === 0 || error.status === 429 || error.status >= 500)
    ? error.status !== 507
    : false;
}

function marker(id: string): string {
  return `island.upload.${id}`;
}
