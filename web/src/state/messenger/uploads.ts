/**
 * Attachments on their way out. The message is saved together with an entry of what is still to be handed over, and
 * its chunks follow in parts: to every device of the other side, then to our own box. What our box keeps was thus
 * handed over, and whoever goes on after a crash asks it which chunks are lacking. They come from the sealed copy in
 * this browser's locker, from the file in hand, or from the same file chosen again.
 */
import { importKey, openChunk, plan as planOf, readIndex } from "../../protocol/attachment.ts";
import { equal, toHex } from "../../protocol/bytes.ts";
import type { Attachment } from "../../protocol/content.ts";
import { envelopeId } from "../../protocol/envelope.ts";
import type { Destination, Kept, Lacking } from "../../protocol/post.ts";
import { Refusal } from "../api.ts";
import { random } from "../random.ts";
import { asRefusal, isOffline } from "../wire.ts";
import type { AttachmentView } from "./attachment.svelte.ts";
import type { Core } from "./core.ts";
import type { Batch } from "./ledger.ts";
import { AT_ONCE, CHUNK } from "./parts.ts";
import { names, type UploadEntry, type UploadsRecord } from "./records.ts";
import { digestOf, sealFile, sealPart } from "./sealing.ts";
import { partId } from "./whole.ts";

/** Ids in one question to the box. */
const ASKED = 256;
/** Seconds after which nobody waits for the rest of an attachment any more. */
const WANTED_FOR = 14 * 24 * 3600;

interface InHand {
  blob: Blob;
  ids: Uint8Array[];
  /** Nothing of it was handed over yet. */
  fresh: boolean;
  /** A sealed copy is in the locker as well. */
  stored: boolean;
}

export class Uploads {
  #entries = new Map<string, UploadEntry>();
  #inHand = new Map<string, InHand>();
  #running = new Set<string>();
  #sealing = 0;

  constructor(readonly core: Core) {}

  /** Whether closing the page now would lose something that only the person could bring again. */
  get fragile(): boolean {
    return this.#sealing > 0 || [...this.#inHand.values()].some((one) => !one.stored);
  }

  /** Whether the sealed copy of an attachment outlives the page. */
  isStored(id: string): boolean {
    return this.#inHand.get(id)?.stored ?? this.core.parts.of("up").includes(id);
  }

  /** Read what is still to be handed over, by this device and by others. */
  async load(): Promise<void> {
    await this.core.parts.load();
    const [record] = await this.core.vault.read([names.uploads]);
    const entries = (record as unknown as UploadsRecord | undefined)?.entries ?? [];
    const before = this.#entries;
    this.#entries = new Map(entries.map((entry) => [toHex(entry.content.id), entry]));
    for (const [id, entry] of before) {
      if (this.#entries.has(id)) continue;
      // Entries of this device that are not saved yet stay; the others were finished elsewhere.
      if (this.#running.has(id)) this.#entries.set(id, entry);
      else this.core.files.view(entry.content).arrived();
    }
    for (const entry of entries) this.dress(this.core.files.view(entry.content));
  }

  /** Show how it stands with an attachment of mine. */
  dress(view: AttachmentView): void {
    const id = toHex(view.content.id);
    const entry = this.#entries.get(id);
    if (entry && !this.#running.has(id) && view.state === "remote")
      view.state = this.#isOurs(entry) ? "sending" : "elsewhere";
  }

  #isOurs(entry: UploadEntry): boolean {
    if (equal(entry.device, this.core.seat.device)) return true;
    return !this.core.account().devices.some((row) => equal(row.device, entry.device));
  }

  /** Go on with what an earlier page did not finish. */
  async resume(): Promise<void> {
    for (const [id, entry] of this.#entries) if (this.#isOurs(entry)) void this.#go(id);
    for (const id of this.core.parts.of("up"))
      if (!this.#entries.has(id) && !this.#inHand.has(id)) await this.core.parts.drop(id);
  }

  /** Send a file: sealed first, then its message, then its chunks. */
  async send(conversation: string, blob: Blob, name: string, extra: Partial<Attachment>): Promise<void> {
    let content: Attachment;
    const id = random(16);
    try {
      const plan = planOf(blob.size);
      const key = random(32);
      const sealing = this.core.chats.get(conversation)?.begunSealing(name);
      const { digest, ids } = await this.#seal(id, blob, key, (share) => sealing?.tell(share)).finally(() =>
        sealing?.end(),
      );
      content = {
        v: 1,
        id,
        kind: "attachment",
        sent: this.core.now(),
        name: name.slice(0, 200) || "file",
        media: /^[ -~]{0,100}$/.test(blob.type) ? blob.type : "",
        size: blob.size,
        digest,
        key,
        chunks: plan.indexes > 0 ? ids.slice(0, plan.indexes) : ids,
        ...extra,
      };
    } catch (error) {
      await this.#forget(toHex(id));
      throw asRefusal(error);
    }
    const view = this.core.files.view(content);
    view.state = "sending";
    view.keep(blob);
    try {
      await this.core.outbound.send(conversation, content);
    } catch (error) {
      // What was refused for good is brought again, or not at all; what waits for the box keeps its file.
      if (!isOffline(error) && !this.core.closed) await this.#forget(toHex(id));
      throw error;
    }
  }

  async #seal(
    id: Uint8Array,
    blob: Blob,
    key: Uint8Array,
    told: (share: number) => void,
  ): Promise<{ digest: Uint8Array; ids: Uint8Array[] }> {
    const { parts } = this.core;
    const name = toHex(id);
    this.#sealing++;
    try {
      const plan = planOf(blob.size);
      const stored = await parts.reserve(name, "up", (plan.count + plan.indexes) * CHUNK);
      const took = (part: number, envelopes: Uint8Array[]): Promise<void> => parts.put(name, part, envelopes);
      const sealed = await sealFile(blob, key, took, told);
      await parts.put(name, "ids", sealed.ids);
      this.#inHand.set(name, { blob, ids: sealed.ids, fresh: true, stored });
      return sealed;
    } finally {
      this.#sealing--;
    }
  }

  /** In the same change as its message: remember that its chunks are to follow. */
  note(batch: Batch, conversation: string, content: Attachment): void {
    const entry = { conversation, device: this.core.seat.device, content };
    batch.change<UploadsRecord>(names.uploads, (now) => {
      const recent = (now?.entries ?? []).filter((one) => this.core.now() - one.content.sent < WANTED_FOR);
      return { v: 1, entries: [...recent.filter((one) => !equal(one.content.id, content.id)), entry] };
    });
    batch.after.push(() => {
      this.#entries.set(toHex(content.id), entry);
      void this.#go(toHex(content.id));
    });
  }

  /** Try again what a refusal stopped. */
  goOn(content: Attachment): void {
    void this.#go(toHex(content.id));
  }

  /** The person chose the file again; false when it is another one. */
  async choose(content: Attachment, blob: Blob): Promise<boolean> {
    const id = toHex(content.id);
    const entry = this.#entries.get(id);
    if (!entry || blob.size !== content.size || this.#running.has(id)) return false;
    const view = this.core.files.view(content);
    const before = view.state;
    view.state = "checking";
    try {
      // Only this very file may be sealed under its key once more.
      const digest = await digestOf(blob, (share) => (view.progress = share / 2));
      const same = equal(digest, content.digest);
      if (!same) return false;
      const { ids } = await this.#seal(content.id, blob, content.key, (share) => {
        view.progress = 0.5 + share / 2;
      });
      this.#inHand.get(id)!.fresh = false;
      if (!content.chunks.every((one, at) => equal(one, ids[at]!))) return false;
      // Its message leaves this device once more, so that there is a session with each of theirs.
      return await this.core.chats.resend(entry.conversation, content.id);
    } catch (error) {
      throw asRefusal(error);
    } finally {
      if (view.state === "checking") view.state = before;
    }
  }

  async #go(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (!entry || this.#running.has(id)) return;
    this.#running.add(id);
    const view = this.core.files.view(entry.content);
    view.state = "sending";
    view.problem = null;
    try {
      const whole = await this.#handOver(entry, view);
      if (!whole) view.state = "needed";
      else await this.#finish(id);
    } catch (error) {
      if (this.core.closed) return;
      const { code } = asRefusal(error);
      const here = this.#inHand.has(id) && code !== "not_opened";
      view.state = here || this.core.parts.has(id) ? "stopped" : "needed";
      view.problem = code;
    } finally {
      this.#running.delete(id);
    }
  }

  /** False when what is lacking is not here. */
  async #handOver(entry: UploadEntry, view: AttachmentView): Promise<boolean> {
    const { content, conversation } = entry;
    const id = toHex(content.id);
    const ids = await this.#ids(content);
    if (!ids) return false;
    const hand = this.#inHand.get(id);
    const lacking = hand?.fresh ? new Set(ids.map(toHex)) : await this.#lacking(ids);
    if (hand) hand.fresh = false;
    const to = lacking.size > 0 ? await this.#destinations(conversation) : [];
    if (lacking.size > 0 && to.length === 0) throw new Refusal("no_route", "", 409);
    view.progress = 1 - lacking.size / ids.length;
    for (let part = 0; part * AT_ONCE < ids.length; part++) {
      const here = ids.slice(part * AT_ONCE, (part + 1) * AT_ONCE);
      if (!here.some((one) => lacking.has(toHex(one)))) continue;
      const envelopes = await this.#part(content, ids, part);
      if (!envelopes) return false;
      await this.#leave(
        content.id,
        envelopes.filter((_, at) => lacking.has(toHex(here[at]!))),
        to,
      );
      for (const one of here) lacking.delete(toHex(one));
      if (!this.#entries.has(id)) {
        // It was deleted meanwhile.
        await this.core.wire.post("/v1/kept/drop", { ids: here });
        return true;
      }
      view.progress = 1 - lacking.size / ids.length;
    }
    return true;
  }

  /** To every device of the other side, and only then to our own box: what it keeps has been handed over. */
  async #leave(message: Uint8Array, envelopes: Uint8Array[], to: Destination[]): Promise<void> {
    const all = envelopes.map((_, index) => index);
    const legs = to.map((one): Destination => ({ ...one, envelopes: all }));
    if (legs.length > 0) await this.core.dispatcher.sendNow({ id: partId(message), envelopes, to: legs });
    await this.core.steady(() => this.core.wire.post("/v1/kept", { envelopes }));
  }

  async #part(content: Attachment, ids: Uint8Array[], part: number): Promise<Uint8Array[] | undefined> {
    const id = toHex(content.id);
    const kept = await this.core.parts.get(id, part);
    const first = ids[part * AT_ONCE]!;
    if (
      kept?.length === ids.slice(part * AT_ONCE, (part + 1) * AT_ONCE).length &&
      equal(envelopeId(kept[0]!), first)
    )
      return kept;
    const hand = this.#inHand.get(id);
    return hand && sealPart(hand.blob, planOf(content.size), content.key, ids, part);
  }

  /** The ids of all envelopes as this browser remembers them while it sends. */
  async known(content: Attachment): Promise<Uint8Array[] | undefined> {
    const id = toHex(content.id);
    return this.#inHand.get(id)?.ids ?? (await this.core.parts.get(id, "ids"));
  }

  /** The ids of all envelopes in order; undefined when nobody here knows them. */
  async #ids(content: Attachment): Promise<Uint8Array[] | undefined> {
    const plan = planOf(content.size);
    if (plan.indexes === 0) return [...content.chunks];
    const known = await this.known(content);
    if (known?.length === plan.indexes + plan.count) return known;
    const ask = { ids: [...content.chunks] };
    const { envelopes } = await this.core.steady(() => this.core.wire.post<Kept>("/v1/kept/read", ask));
    const key = await importKey(content.key);
    const pieces: Uint8Array[] = [];
    for (const [at, envelope] of envelopes.entries()) {
      if (!envelope) return undefined;
      pieces.push(await openChunk(key, plan, plan.count + at, envelope));
    }
    return [...content.chunks, ...readIndex(plan, pieces)];
  }

  async #lacking(ids: readonly Uint8Array[]): Promise<Set<string>> {
    const lacking = new Set<string>();
    for (let at = 0; at < ids.length; at += ASKED) {
      const ask = { ids: ids.slice(at, at + ASKED) };
      const answer = await this.core.steady(() => this.core.wire.post<Lacking>("/v1/kept/lacking", ask));
      for (const id of answer.ids) lacking.add(toHex(id));
    }
    return lacking;
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

  async #finish(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry) this.core.files.view(entry.content).arrived();
    await this.#forget(id);
  }

  /** Nothing more is to be handed over: it is all there, or was deleted. */
  drop(content: Attachment): Promise<void> {
    return this.#forget(toHex(content.id));
  }

  /** The same for a whole conversation. */
  async dropAll(conversation: string): Promise<void> {
    for (const [id, entry] of this.#entries) if (entry.conversation === conversation) await this.#forget(id);
  }

  async #forget(id: string): Promise<void> {
    const there = this.#entries.delete(id);
    this.#inHand.delete(id);
    if (there)
      this.core.ledger.later((batch) =>
        batch.change<UploadsRecord>(names.uploads, (now) => {
          if (!now?.entries.some((one) => toHex(one.content.id) === id)) return now;
          return { v: 1, entries: now.entries.filter((one) => toHex(one.content.id) !== id) };
        }),
      );
    await this.core.parts.drop(id);
  }
}
