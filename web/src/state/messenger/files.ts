/** Attachments: cut, sealed and sent after their message; kept when they arrive; fetched and checked when shown. */
import {
  contentDigest,
  importKey,
  indexPieces,
  openChunk,
  PIECE,
  plan as planOf,
  readIndex,
  sealChunk,
  type Plan,
} from "../../protocol/attachment.ts";
import { equal, toHex } from "../../protocol/bytes.ts";
import type { Attachment } from "../../protocol/content.ts";
import { envelopeId } from "../../protocol/envelope.ts";
import type { Destination, Kept } from "../../protocol/post.ts";
import { Refusal } from "../api.ts";
import { random } from "../random.ts";
import { asRefusal } from "../wire.ts";
import { AttachmentView } from "./attachment.svelte.ts";
import type { Core } from "./core.ts";
import { names, type WantsRecord } from "./records.ts";
import { partId } from "./whole.ts";

/** Chunks in one request: half a megabyte. */
const AT_ONCE = 32;
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
  #sending = new Map<string, AttachmentView>();

  constructor(readonly core: Core) {}

  /** Read which attachments were still arriving. */
  async load(): Promise<void> {
    const [record] = await this.core.vault.read([names.wants(this.core.seat.id)]);
    for (const content of (record as unknown as WantsRecord | undefined)?.contents ?? [])
      this.#expect(content);
  }

  view(content: Attachment): AttachmentView {
    return (
      this.#sending.get(toHex(content.id)) ??
      new AttachmentView(content, (view) => this.#fetch(content, view))
    );
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
    this.#contents.delete(message);
    this.core.ledger.later((batch) =>
      batch.change<WantsRecord>(names.wants(this.core.seat.id), (now) => {
        if (!now) return now;
        return { v: 1, contents: now.contents.filter((one) => toHex(one.id) !== message) };
      }),
    );
  }

  /** Send a file: its message first, then its chunks to every device and to our own box. */
  async send(conversation: string, blob: Blob, name: string, extra: Partial<Attachment>): Promise<void> {
    let sealed: { content: Attachment; envelopes: Uint8Array[] };
    try {
      sealed = await this.#seal(blob, name, extra, this.core.now());
    } catch (error) {
      throw asRefusal(error);
    }
    const { content, envelopes } = sealed;
    const id = toHex(content.id);
    const view = new AttachmentView(content, (one) => this.#fetch(content, one));
    view.state = "sending";
    view.keep(blob);
    this.#sending.set(id, view);
    await this.core.outbound.send(conversation, content);
    void this.#upload(conversation, content, envelopes, view)
      .catch((error: unknown) => this.#failed(conversation, content, asRefusal(error).code))
      .finally(() => this.#sending.delete(id));
  }

  async #seal(
    blob: Blob,
    name: string,
    extra: Partial<Attachment>,
    now: number,
  ): Promise<{ content: Attachment; envelopes: Uint8Array[] }> {
    const plan = planOf(blob.size);
    const key = random(32);
    const sealing = await importKey(key);
    const digest = contentDigest();
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < plan.count; at++) {
      const piece = new Uint8Array(await blob.slice(at * PIECE, (at + 1) * PIECE).arrayBuffer());
      digest.update(piece);
      chunks.push(await sealChunk(sealing, plan, at, piece));
    }
    const ids = chunks.map(envelopeId);
    const index: Uint8Array[] = [];
    for (const [at, piece] of indexPieces(plan, ids).entries())
      index.push(await sealChunk(sealing, plan, plan.count + at, piece));
    const content: Attachment = {
      v: 1,
      id: random(16),
      kind: "attachment",
      sent: now,
      name: name.slice(0, 200) || "file",
      media: /^[ -~]{0,100}$/.test(blob.type) ? blob.type : "",
      size: blob.size,
      digest: digest.digest(),
      key,
      chunks: index.length > 0 ? index.map(envelopeId) : ids,
      ...extra,
    };
    return { content, envelopes: [...index, ...chunks] };
  }

  async #upload(
    conversation: string,
    content: Attachment,
    envelopes: Uint8Array[],
    view: AttachmentView,
  ): Promise<void> {
    const to = await this.#destinations(conversation);
    for (let at = 0; at < envelopes.length; at += AT_ONCE) {
      const some = envelopes.slice(at, at + AT_ONCE);
      const all = some.map((_, index) => index);
      const legs = to.map((one): Destination => ({ ...one, envelopes: all }));
      if (legs.length > 0)
        await this.core.dispatcher.sendNow({ id: partId(content.id), envelopes: some, to: legs });
      await this.core.steady(() => this.core.wire.post("/v1/kept", { envelopes: some }));
      view.progress = (at + some.length) / envelopes.length;
    }
    view.state = "ready";
    this.core.chats.get(conversation)?.touch(toHex(content.id));
  }

  async #destinations(conversation: string): Promise<Destination[]> {
    return this.core.ledger.run(async (batch) => {
      const to: Destination[] = [];
      for (const peer of this.core.ledger.peers(batch)) {
        const record = await this.core.ledger.session(batch, peer);
        if (record?.conversation === conversation && record.routes.length > 0)
          to.push({ handle: record.handle, routes: record.routes, envelopes: [] });
      }
      return to;
    });
  }

  #failed(conversation: string, content: Attachment, code: string): void {
    const event = { k: "f", at: this.core.stamp(), id: content.id, code } as const;
    void this.core.ledger.run((batch) => batch.log(conversation, event)).catch(() => undefined);
    this.core.chats.get(conversation)?.show([event]);
  }

  async #fetch(content: Attachment, view: AttachmentView): Promise<Uint8Array<ArrayBuffer>[]> {
    const plan = planOf(content.size);
    const key = await importKey(content.key);
    const ids = (await this.#ids(content, plan)).slice(0, plan.pieces);
    const digest = contentDigest();
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    for (let at = 0; at < ids.length; at += AT_ONCE) {
      const envelopes = await this.#read(ids.slice(at, at + AT_ONCE), content);
      for (const [index, envelope] of envelopes.entries()) {
        const piece = new Uint8Array(await openChunk(key, plan, at + index, envelope));
        digest.update(piece);
        pieces.push(piece);
      }
      view.progress = Math.min(1, (at + envelopes.length) / ids.length);
    }
    if (!equal(digest.digest(), content.digest)) throw new Refusal("not_opened", "", 0);
    return pieces;
  }

  /** The ids of the chunks themselves. */
  async #ids(content: Attachment, plan: Plan): Promise<Uint8Array[]> {
    if (plan.indexes === 0) return [...content.chunks];
    const key = await importKey(content.key);
    const envelopes = await this.#read([...content.chunks], content);
    const pieces: Uint8Array[] = [];
    for (const [at, envelope] of envelopes.entries())
      pieces.push(await openChunk(key, plan, plan.count + at, envelope));
    return readIndex(plan, pieces);
  }

  /** Kept envelopes; waits for a while when they may still be on their way. Refusal not_found. */
  async #read(ids: Uint8Array[], content: Attachment): Promise<Uint8Array[]> {
    for (let look = 0; ; look++) {
      const { envelopes } = await this.core.wire.post<Kept>("/v1/kept/read", { ids });
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
    const plan = planOf(content.size);
    const listed = plan.indexes > 0 ? await this.#ids(content, plan).catch(() => []) : [];
    const ids = [...content.chunks, ...listed];
    for (let at = 0; at < ids.length; at += 256)
      await this.core.wire.post("/v1/kept/drop", { ids: ids.slice(at, at + 256) });
  }
}
