/** One conversation: what the pages see, and what they may do. */
import { fromHex, toHex } from "../../protocol/bytes.ts";
import type { Content } from "../../protocol/content.ts";
import { safetyNumber, safetyQr } from "../../protocol/safety.ts";
import { Refusal } from "../api.ts";
import { random } from "../random.ts";
import { beforeDrawing, turn } from "../turns.ts";
import { asRefusal } from "../wire.ts";
import type { AttachmentView } from "./attachment.svelte.ts";
import type { Core } from "./core.ts";
import { History, PAGE } from "./history.ts";
import { names, type LogEvent, type PersonRecord, type TalkRecord } from "./records.ts";
import { Timeline, expiryOf, type Entry } from "./timeline.ts";
import type { Conversation, ConversationState, Message } from "./types.ts";
import { messageOf } from "./view.ts";

const DRAFT_PAUSE = 2_000;
/** Seconds; what disappears later than this is looked at again by then. */
const FAR = 3_600;
const NONE = new Uint8Array();

type Loose = Content extends infer C ? (C extends Content ? Omit<C, "v" | "id" | "sent"> : never) : never;

export class Chat implements Conversation {
  readonly timeline = new Timeline();
  readonly history: History;
  #talk = $state.raw<TalkRecord>();
  #person = $state.raw<PersonRecord>();
  messages = $state.raw<readonly Message[]>([]);
  older = $state<"none" | "more" | "loading">("more");
  typing = $state(false);
  hereNow = $state(false);
  draft = $state("");
  devices = $state(0);
  sealing = $state.raw<{ name: string; progress: number } | null>(null);
  #shown = new Map<string, Message>();
  #files = new Map<string, AttachmentView>();
  /** The draft in the vault, or on its way there. */
  #kept = "";
  #draftTimer: ReturnType<typeof setTimeout> | undefined;
  #expiring: ReturnType<typeof setTimeout> | undefined;
  #drawing: (() => void) | undefined;
  #opened = false;

  constructor(
    readonly core: Core,
    readonly id: string,
  ) {
    this.history = new History(core, id, this.timeline, () => this.update());
    this.refresh();
    this.draft = this.#kept = this.#talk?.draft ?? "";
  }

  get address(): string {
    return this.#person ? `${this.#person.name}@${this.#person.onion}` : "";
  }
  get name(): string {
    return this.#person?.name ?? "";
  }
  get display(): string {
    return this.#person?.display ?? "";
  }
  get picture(): string {
    return toHex(this.#person?.picture ?? NONE);
  }
  get zone(): string {
    return this.#person?.zone ?? "";
  }
  get state(): ConversationState {
    return this.#talk?.state ?? "pending";
  }
  get verified(): boolean {
    return (this.#person?.verified && !this.#person.change) ?? false;
  }
  get keyChange(): { hour: number } | null {
    const change = this.#person?.change;
    return change ? { hour: change.hour } : null;
  }
  get timer(): number {
    return this.#talk?.timer ?? 0;
  }
  get muted(): boolean {
    return this.#talk?.muted ?? false;
  }
  get fresh(): readonly Uint8Array[] {
    return this.#talk?.fresh ?? [];
  }
  get unread(): number {
    return this.fresh.length;
  }
  get at(): number {
    return this.#talk?.last?.at ?? 0;
  }
  get last(): Message | null {
    const newest = this.messages.findLast((message) => message.kind !== "notice");
    if (newest) return newest;
    const line = this.#talk?.last;
    return line ? this.core.chats.lineMessage(line) : null;
  }
  get safety(): { digits: string[]; qr: string } | null {
    const person = this.#person;
    if (!person) return null;
    const theirs = person.change?.identity ?? person.identity;
    const mine = this.core.identity();
    return { digits: safetyNumber(mine, theirs), qr: safetyQr(mine, theirs) };
  }

  /** What the vault says now. */
  refresh(): void {
    const before = this.#talk?.draft;
    this.#talk = this.core.vault.peek(names.talk(this.id)) as unknown as TalkRecord | undefined;
    this.#person = this.core.people.person(this.id);
    if (this.#talk && this.#talk.draft !== before) {
      this.#kept = this.#talk.draft;
      if (this.draft === (before ?? "")) this.draft = this.#talk.draft;
    }
    const entry = this.#person && this.core.people.entryOf(this.#person);
    this.devices = entry?.devices.length ?? 0;
    this.core.chats.sort();
  }

  /** Events this device has just saved. */
  absorb(events: readonly LogEvent[]): void {
    this.history.wrote();
    this.show(events);
    this.refresh();
    this.#prepare();
  }

  /** Show events, saved or not yet. */
  show(events: readonly LogEvent[]): void {
    this.history.take(events);
    this.update();
  }

  /** The same, in time for the next picture of the page: what is to be done at once is not held up. */
  showSoon(events: readonly LogEvent[]): void {
    this.history.take(events);
    this.#soon();
  }

  /** The state of a message changed. */
  touch(id: string): void {
    this.timeline.dirty.add(id);
    this.#soon();
  }

  #soon(): void {
    this.#drawing ??= beforeDrawing(() => this.update());
  }

  /** Make the list of messages anew from what changed. */
  update(): void {
    this.#drawing?.();
    this.#drawing = undefined;
    const now = this.core.now();
    let next = Infinity;
    const list: Message[] = [];
    for (const entry of this.timeline.shown(this.history.from)) {
      const expires = expiryOf(entry);
      if (expires !== null && expires <= now) {
        this.core.chats.expired(this.id, entry);
        continue;
      }
      next = Math.min(next, expires ?? Infinity);
      list.push(this.#message(entry));
    }
    this.timeline.dirty.clear();
    this.messages = list;
    clearTimeout(this.#expiring);
    if (next - now < FAR) this.#expiring = setTimeout(() => this.update(), (next - now) * 1000 + 500);
    this.older = this.history.more || !this.history.begun ? "more" : "none";
  }

  #message(entry: Entry): Message {
    const known = this.#shown.get(entry.id);
    if (known && !this.timeline.dirty.has(entry.id)) return known;
    const { dispatcher } = this.core;
    const message = messageOf(entry, dispatcher.whole(entry), this.#file(entry), dispatcher.isOver(entry));
    this.#shown.set(entry.id, message);
    return message;
  }

  #file(entry: Entry): AttachmentView | null {
    if (entry.content?.kind !== "attachment") return null;
    let file = this.#files.get(entry.id);
    if (!file) {
      file = this.core.files.view(entry.content);
      this.#files.set(entry.id, file);
    }
    return file;
  }

  /** What these messages said is forgotten. */
  forgetTexts(ids: ReadonlySet<string>, wholly: boolean): void {
    this.timeline.forgetTexts(ids, wholly);
    for (const id of ids) {
      this.#files.get(id)?.release();
      this.#files.delete(id);
    }
    this.refresh();
    this.update();
  }

  /** The conversation is in view. */
  async open(): Promise<void> {
    this.#opened = true;
    this.update();
    if (!this.history.begun || (this.messages.length < PAGE && this.history.more)) await this.loadOlder();
  }

  get opened(): boolean {
    return this.#opened;
  }

  /** Nothing here runs any more. */
  stop(): void {
    clearTimeout(this.#expiring);
    clearTimeout(this.#draftTimer);
    this.#drawing?.();
  }

  leave(): void {
    this.#opened = false;
  }

  async loadOlder(): Promise<void> {
    if (this.older === "loading") return;
    this.older = "loading";
    try {
      await this.history.older();
    } catch (error) {
      throw asRefusal(error);
    } finally {
      this.update();
    }
  }

  async reach(id: string): Promise<boolean> {
    await this.history.begin();
    while (!this.messages.some((message) => message.id === id)) {
      if (!this.history.more) return false;
      await this.loadOlder();
    }
    return true;
  }

  send(text: string, reply?: string): Promise<void> {
    return this.#say({ kind: "text", text, reply: reply ? fromHex(reply) : undefined });
  }

  sendFile(file: File, text = ""): Promise<void> {
    return this.core.uploads.send(this.id, file, file.name, { text: text || undefined, ...this.#common() });
  }

  sendVoice(blob: Blob, seconds: number, peaks: Uint8Array): Promise<void> {
    const voice = { seconds: Math.round(seconds), peaks: peaks.slice(0, 64) };
    return this.core.uploads.send(this.id, blob, "voice", { voice, ...this.#common() });
  }

  /** A file is being sealed; what is told shows until its end. */
  begunSealing(name: string): { tell(share: number): void; end(): void } {
    let shown: Chat["sealing"] = null;
    const show = (next: Chat["sealing"]): void => {
      if (this.sealing === shown) this.sealing = next;
      shown = next;
    };
    show({ name, progress: 0 });
    return { tell: (progress) => show({ name, progress }), end: () => show(null) };
  }

  async react(id: string, emoji: string): Promise<void> {
    await this.#say({ kind: "reaction", target: fromHex(id), emoji });
  }

  async edit(id: string, text: string): Promise<void> {
    this.#own(id);
    await this.#say({ kind: "edit", target: fromHex(id), text });
  }

  async remove(id: string, forEveryone: boolean): Promise<void> {
    const target = fromHex(id);
    this.core.unsent.drop(target);
    if (forEveryone) {
      this.#own(id);
      await this.#say({ kind: "delete", target });
    } else
      await this.core.ledger.run((batch) => {
        batch.log(this.id, { k: "x", at: this.core.stamp(), t: [target] });
        batch.after.push(() => this.absorb(batch.events.get(this.id) ?? []));
      });
    this.core.chats.scrub(this.id, [target]);
  }

  async retry(id: string): Promise<void> {
    await this.core.chats.resend(this.id, fromHex(id));
  }

  markRead(): void {
    void this.core.receipts.markRead(this.id).catch(() => undefined);
  }

  async setTimer(seconds: number): Promise<void> {
    await this.#change((talk) => ({ ...talk, timer: seconds }));
    await this.#say({ kind: "timer", seconds });
  }

  accept(): Promise<void> {
    return this.core.chats.accept(this.id);
  }

  async block(): Promise<void> {
    await this.#change((talk) =>
      talk.state === "blocked" ? talk : { ...talk, state: "blocked", before: talk.state, fresh: [] },
    );
    await this.core.routes.drop(this.id);
  }

  async unblock(): Promise<void> {
    await this.#change((talk) => (talk.state === "blocked" ? { ...talk, state: talk.before } : talk));
    this.core.routes.look();
  }

  async report(reason: string): Promise<void> {
    await this.block();
    await this.core.ledger.run((batch) =>
      this.core.chats.notice(batch, this.id, `reported: ${reason.slice(0, 200)}`),
    );
  }

  async verify(verified = true): Promise<void> {
    await this.core.chats.changePerson(this.id, (person) => ({ ...person, verified }));
    if (verified) await this.core.ledger.run((batch) => this.core.chats.notice(batch, this.id, "verified"));
  }

  acceptKeyChange(): Promise<void> {
    return this.core.chats.acceptKeyChange(this.id);
  }

  setTyping(typing: boolean): void {
    this.core.signals.typing(this.id, typing);
    this.#prepare();
  }

  /** While something is being written, the keys it will leave with are made, between other things. */
  #prepare(): void {
    if (this.draft !== "") void turn().then(() => this.core.outbound.prepare(this.id));
  }

  mute(muted: boolean): Promise<void> {
    return this.#change((talk) => ({ ...talk, muted }));
  }

  saveDraft(text: string): void {
    this.draft = text;
    clearTimeout(this.#draftTimer);
    this.#draftTimer = setTimeout(() => {
      // A message that was saved has taken its draft out already.
      if (text === this.#kept) return;
      this.#kept = text;
      this.core.ledger.later((batch) => batch.talk(this.id, (talk) => ({ ...talk, draft: text })));
    }, DRAFT_PAUSE);
  }

  forget(): Promise<void> {
    return this.core.chats.forget(this.id);
  }

  #common(): { timer?: number } {
    return this.timer > 0 ? { timer: this.timer } : {};
  }

  #say(content: Loose): Promise<void> {
    if (this.state === "blocked") return Promise.reject(new Refusal("wrong_state", "", 409));
    if (this.keyChange) return Promise.reject(new Refusal("key_changed", "", 409));
    const timed = content.kind === "text" ? this.#common() : {};
    const whole = { v: 1, id: random(16), sent: this.core.now(), ...timed, ...content } as Content;
    this.core.chats.answered(this.id);
    if (content.kind === "text") this.core.signals.spoke(this.id);
    return this.core.outbound.send(this.id, whole);
  }

  #own(id: string): void {
    if (this.timeline.entries.get(id)?.by !== 0) throw new Refusal("wrong_state", "", 409);
  }

  async #change(step: (talk: TalkRecord) => TalkRecord): Promise<void> {
    await this.core.ledger.run((batch) => {
      batch.talk(this.id, step);
      batch.after.push(() => this.refresh());
    });
  }
}
