/** Attachments that arrive: kept when they come, fetched and checked when they are shown. */
import {
  contentDigest,
  importKey,
  openChunk,
  plan as planOf,
  readIndex,
  type Plan,
} from "../../protocol/attachment.ts";
import { equal, toHex } from "../../protocol/bytes.ts";
import type { Attachment } from "../../protocol/content.ts";
import type { Kept } from "../../protocol/post.ts";
import { Refusal } from "../api.ts";
import { AttachmentView } from "./attachment.svelte.ts";
import type { Core } from "./core.ts";
import { AT_ONCE, CHUNK } from "./parts.ts";
import { names, type WantsRecord } from "./records.ts";

const LOOKS = 20;
const LOOK_PAUSE = 3_000;
/** Seconds in which an attachment may still be on its way. */
const ARRIVING = 900;
const WANTED_FOR = 14 * 24 * 3600;

export class Files {
  /** Ids of chunks that are waited for, and the message they belong to. */
  #wanted = new Map<string, string>();
  #contents = new Map<string, Attachment>();
  #indexed = new Set<string>();
  #arrivals: (() => void)[] = [];
  #views = new Map<string, AttachmentView>();

  constructor(readonly core: Core) {}

  /** Read which attachments were still arriving. */
  async load(): Promise<void> {
    const [record] = await this.core.vault.read([names.wants(this.core.seat.id)]);
    for (const content of (record as unknown as WantsRecord | undefined)?.contents ?? [])
      this.#expect(content);
  }

  /** The one view of an attachment. */
  view(content: Attachment): AttachmentView {
    const id = toHex(content.id);
    let view = this.#views.get(id);
    if (!view) {
      view = new AttachmentView(content, this.core);
      this.#views.set(id, view);
      this.core.uploads.dress(view);
    }
    return view;
  }

  /** Whether this envelope is a chunk we wait for. */
  wants(id: Uint8Array): boolean {
    return this.#wanted.has(toHex(id));
  }

  /** An attachment was announced: keep its chunks when they come. */
  want(content: Attachment): void {
    this.#expect(content);
    this.core.ledger.later((batch) =>
      batch.change<WantsRecord>(names.wants(this.core.seat.id), (now) => {
        const recent = (now?.contents ?? []).filter((one) => this.core.now() - one.sent < WANTED_FOR);
        return { v: 1, contents: [...recent.filter((one) => !equal(one.id, content.id)), content] };
      }),
    );
    // What came before its message was held back.
    if (this.core.ledger.head.held.length > 0) this.core.inbound.look();
  }

  #expect(content: Attachment): void {
    const id = toHex(content.id);
    this.#contents.set(id, content);
    for (const chunk of content.chunks) this.#wanted.set(toHex(chunk), id);
  }

  /** These envelopes are kept now. */
  kept(ids: readonly Uint8Array[]): void {
    for (const arrived of this.#arrivals.splice(0)) arrived();
    const touched = new Set<string>();
    for (const id of ids) {
      const message = this.#wanted.get(toHex(id));
      if (message !== undefined) touched.add(message);
      this.#wanted.delete(toHex(id));
    }
    const open = new Set(this.#wanted.values());
    for (const message of touched)
      if (!open.has(message)) void this.#complete(message).catch(() => undefined);
  }

  async #complete(message: string): Promise<void> {
    const content = this.#contents.get(message);
    if (!content) return;
    const plan = planOf(content.size);
    if (plan.indexes > 0 && !this.#indexed.has(message)) {
      // The index is here: now the chunks themselves are known.
      this.#indexed.add(message);
      for (const id of await this.#ids(content, plan)) this.#wanted.set(toHex(id), message);
      this.core.inbound.look();
      return;
    }
    this.#views.get(message)?.arrived();
    this.unwant(message);
  }

  /** No chunk of it is waited for any more. */
  unwant(message: string): void {
    for (const [chunk, of] of this.#wanted) if (of === message) this.#wanted.delete(chunk);
    if (!this.#contents.delete(message)) return;
    this.core.ledger.later((batch) =>
      batch.change<WantsRecord>(names.wants(this.core.seat.id), (now) => {
        if (!now) return now;
        return { v: 1, contents: now.contents.filter((one) => toHex(one.id) !== message) };
      }),
    );
  }

  async fetch(view: AttachmentView, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>[]> {
    try {
      return await until(signal, this.#fetch(view, signal));
    } catch (error) {
      if ((error as { code?: string }).code === "not_found" && (await this.#isArriving(view.content)))
        throw new Refusal("not_arrived", "", 404);
      throw error;
    }
  }

  /** All pieces in order, each opened and thus verified; what an interrupted fetch left here is not asked for again. */
  async #fetch(view: AttachmentView, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>[]> {
    const { content } = view;
    const { parts } = this.core;
    const id = toHex(content.id);
    const plan = planOf(content.size);
    const key = await importKey(content.key);
    const ids = (await this.#ids(content, plan, signal)).slice(0, plan.pieces);
    const large = ids.length > AT_ONCE && (await parts.reserve(id, "down", ids.length * CHUNK));
    const digest = contentDigest();
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    const take = async (at: number, envelopes: readonly Uint8Array[]): Promise<void> => {
      const opened: Uint8Array<ArrayBuffer>[] = [];
      for (const [index, envelope] of envelopes.entries())
        opened.push(new Uint8Array(await openChunk(key, plan, at + index, envelope)));
      for (const piece of opened) digest.update(piece);
      pieces.push(...opened);
    };
    for (let at = 0, part = 0; at < ids.length; at += AT_ONCE, part++) {
      const wanted = ids.slice(at, at + AT_ONCE);
      const here = large ? await parts.get(id, part) : undefined;
      const good = here?.length === wanted.length && (await take(at, here).then(() => true, () => false)); // prettier-ignore
      if (!good) {
        const envelopes = await this.#read(wanted, content, signal);
        await take(at, envelopes);
        if (large) await parts.put(id, part, envelopes);
      }
      if (signal.aborted) throw new Refusal("stopped", "", 0);
      view.progress = pieces.length / ids.length;
    }
    if (large) await parts.drop(id);
    if (!equal(digest.digest(), content.digest)) throw new Refusal("not_opened", "", 0);
    return pieces;
  }

  /** Whether the rest of it may still come: one of our devices waits for it. */
  async #isArriving(content: Attachment): Promise<boolean> {
    const rows = this.core.account().devices.map((row) => names.wants(toHex(row.device)));
    const records = await this.core.vault.read(rows).catch(() => []);
    return records.some((record) =>
      (record as unknown as WantsRecord | undefined)?.contents.some((one) => equal(one.id, content.id)),
    );
  }

  /** The ids of the chunks themselves. */
  async #ids(content: Attachment, plan: Plan, signal?: AbortSignal): Promise<Uint8Array[]> {
    if (plan.indexes === 0) return [...content.chunks];
    const key = await importKey(content.key);
    const envelopes = await this.#read([...content.chunks], content, signal);
    const pieces: Uint8Array[] = [];
    for (const [at, envelope] of envelopes.entries())
      pieces.push(await openChunk(key, plan, plan.count + at, envelope));
    return readIndex(plan, pieces);
  }

  /** Kept envelopes; waits for a while when they may still be on their way. Refusal not_found. */
  async #read(ids: Uint8Array[], content: Attachment, signal?: AbortSignal): Promise<Uint8Array[]> {
    const ask = async (): Promise<Kept> => {
      if (signal?.aborted) throw new Refusal("stopped", "", 0);
      return this.core.wire.post<Kept>("/v1/kept/read", { ids });
    };
    for (let look = 0; ; look++) {
      const { envelopes } = await this.core.steady(ask);
      const there = envelopes.filter((envelope) => envelope !== null);
      if (there.length === ids.length) return there;
      const arriving = this.core.now() - content.sent < ARRIVING && look < LOOKS;
      if (!arriving) throw new Refusal("not_found", "", 404);
      await this.#arrival();
    }
  }

  /** Something arrives, or a while passes. */
  #arrival(): Promise<void> {
    return new Promise((done) => {
      const timer = setTimeout(done, LOOK_PAUSE);
      this.#arrivals.push(() => {
        clearTimeout(timer);
        done();
      });
    });
  }

  /** The attachment was deleted: its chunks go from our box. */
  async drop(content: Attachment): Promise<void> {
    const known = await this.core.uploads.known(content);
    await this.core.uploads.drop(content);
    await this.core.parts.drop(toHex(content.id));
    const plan = planOf(content.size);
    const listed = known ?? (plan.indexes > 0 ? await this.#ids(content, plan).catch(() => []) : []);
    const ids = [...content.chunks, ...listed];
    for (let at = 0; at < ids.length; at += 256)
      await this.core.wire.post("/v1/kept/drop", { ids: ids.slice(at, at + 256) });
  }
}

/** The same, given up when it is to stop. */
function until<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((done, failed) => {
    work.then(done, failed);
    signal.addEventListener("abort", () => failed(new Refusal("stopped", "", 0)), { once: true });
  });
}
