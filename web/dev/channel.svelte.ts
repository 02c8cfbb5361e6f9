/** One fake channel: its members, its messages page by page, and what one does in it. */
import { sha3_256 } from "@noble/hashes/sha3.js";
import { Refusal } from "../src/state/api.ts";
import type {
  Channel,
  ChannelMember,
  ChannelMessage,
  Role,
  RosterChange,
  Why,
} from "../src/state/channels/types.ts";
import type { Said, Scene } from "./channelTalk.ts";
import { hex, withContent } from "./conversation.svelte.ts";

const ME = "ada";
const PAGE = 60;
const ROLES: readonly Role[] = ["owner", "moderator", "member"];

export class FakeChannel implements Channel {
  readonly id: string;
  readonly public: boolean;
  readonly progress = null;
  readonly readTo: number;
  title = $state("");
  topic = $state("");
  closed = $state(false);
  role = $state<Role | null>(null);
  alarm = $state(false);
  muted = $state(false);
  unread = $state(0);
  timer = $state(0);
  slow = $state(0);
  waitUntil = $state(0);
  draft = $state("");
  giving = $state.raw<Channel["giving"]>(null);
  older = $state<Channel["older"]>("more");
  everything = $state.raw<ChannelMessage[]>([]);
  #people = $state.raw<(readonly [string, Role])[]>([]);
  #shown = $state(0);
  /** Milliseconds until what is sent is posted; 0: it stays sealed. */
  pace = 700;
  /** What was asked of it, for the tests. */
  readonly asked: string[] = [];
  readonly #gone: (one: FakeChannel) => void;

  constructor(scene: Scene, gone: (one: FakeChannel) => void) {
    this.id = identityOf(`channel ${scene.title} ${scene.public ?? false}`).slice(0, 32);
    this.title = scene.title;
    this.topic = scene.topic ?? "";
    this.public = scene.public ?? false;
    this.closed = scene.closed ?? false;
    this.role = scene.role ?? null;
    this.alarm = scene.alarm ?? false;
    this.muted = scene.muted ?? false;
    this.unread = scene.unread ?? 0;
    this.timer = scene.timer ?? 0;
    this.slow = scene.slow ?? 0;
    this.draft = scene.draft ?? "";
    this.giving = scene.giving ?? null;
    this.#people = [...scene.members];
    this.#gone = gone;
    const lines = scene.lines ?? [];
    const now = Math.floor(Date.now() / 1000);
    this.everything = lines.map((line, at) => this.#message(line, at, now));
    const posted = this.everything.filter((one) => one.number > 0 && !one.mine && one.kind !== "change");
    this.readTo = this.unread > 0 ? (posted.at(-this.unread)?.number ?? 1) - 1 : lines.length;
  }

  get count(): number {
    return this.#people.length;
  }

  get members(): readonly ChannelMember[] {
    return this.#people
      .map(([name, role]) => ({
        name,
        role,
        identity: identityOf(name),
        me: name === ME,
        here: name === "jonas",
        missing: name === "islander4",
      }))
      .toSorted((a, b) => ROLES.indexOf(a.role) - ROLES.indexOf(b.role) || a.name.localeCompare(b.name));
  }

  get mentioned(): boolean {
    return this.unread > 0 && this.everything.some((one) => one.mentionsMe && one.number > this.readTo);
  }

  get last(): ChannelMessage | null {
    return this.everything.at(-1) ?? null;
  }

  get messages(): readonly ChannelMessage[] {
    return this.everything.slice(-this.#shown || this.everything.length);
  }

  get pins(): readonly ChannelMessage[] {
    return this.everything.filter((one) => one.pinned && !one.deleted).toReversed();
  }

  appear(): void {
    this.#show(Math.max(this.#shown, PAGE));
  }

  async join(): Promise<void> {
    this.asked.push("join");
    this.role = "member";
    this.#people = [...this.#people, [ME, "member"]];
    this.#change({ what: "join" });
    this.appear();
  }

  async quit(): Promise<void> {
    this.asked.push("quit");
    this.role = null;
    this.#people = this.#people.filter(([name]) => name !== ME);
  }

  async loadOlder(): Promise<void> {
    if (this.older !== "more") return;
    this.older = "loading";
    await new Promise((done) => setTimeout(done, 300));
    this.#show(this.#shown + PAGE);
  }

  async reach(id: string): Promise<boolean> {
    const at = this.everything.findIndex((one) => one.id === id || one.entry === id);
    if (at < 0) return false;
    this.#show(Math.max(this.#shown, this.everything.length - at + 20));
    return true;
  }

  async send(text: string, reply?: string): Promise<void> {
    this.asked.push(`send ${text}`);
    this.#say({ ago: 0, by: ME, text, reply: reply ?? null, state: "sealed" });
    if (this.slow > 0 && this.role === "member") this.waitUntil = Date.now() / 1000 + this.slow;
  }

  async edit(id: string, text: string): Promise<void> {
    this.asked.push(`edit ${text}`);
    this.#alter(id, (one) => ({ ...one, text, edited: true }));
  }

  async remove(id: string): Promise<void> {
    this.asked.push("remove");
    this.#alter(id, (one) => ({
      ...one,
      text: "",
      pinned: false,
      deleted: one.mine ? "author" : "moderator",
    }));
  }

  async react(id: string, emoji: string): Promise<void> {
    this.asked.push(`react ${emoji}`);
    this.#alter(id, (one) => {
      const others = one.reactions
        .map((each) =>
          each.mine ? { ...each, mine: false, names: each.names.filter((name) => name !== ME) } : each,
        )
        .filter((each) => each.names.length > 0);
      if (emoji === "") return { ...one, reactions: others };
      const same = others.find((each) => each.emoji === emoji);
      const rest = others.filter((each) => each !== same);
      return { ...one, reactions: [...rest, { emoji, names: [...(same?.names ?? []), ME], mine: true }] };
    });
  }

  async pin(id: string, on: boolean): Promise<void> {
    this.asked.push(on ? "pin" : "unpin");
    this.#alter(id, (one) => ({ ...one, pinned: on }));
  }

  async retry(id: string): Promise<void> {
    this.asked.push("retry");
    this.#alter(id, (one) => ({ ...one, state: "sealed", problem: null }));
  }

  async drop(id: string): Promise<void> {
    this.asked.push("drop");
    this.everything = this.everything.filter((one) => one.id !== id);
  }

  markRead(): void {
    this.asked.push("read");
    this.unread = 0;
  }

  async mute(muted: boolean): Promise<void> {
    this.muted = muted;
  }

  saveDraft(text: string): void {
    this.draft = text;
  }

  async search(text: string, limit = 100): Promise<ChannelMessage[]> {
    const wanted = text.toLowerCase();
    return this.everything
      .filter((one) => one.text.toLowerCase().includes(wanted))
      .toReversed()
      .slice(0, limit);
  }

  async invite(name: string, role: Role): Promise<void> {
    this.asked.push(`invite ${name} ${role}`);
    if (name === "nobody") throw new Refusal("no_account", "There is no such account here.", 404);
    this.#people = [...this.#people, [name, role]];
    this.#change({ what: "add", whom: name, role });
  }

  async putOut(identity: string): Promise<void> {
    const whom = this.#name(identity);
    this.asked.push(`put out ${whom}`);
    this.#people = this.#people.filter(([name]) => name !== whom);
    this.#change({ what: "remove", whom });
  }

  async setRole(identity: string, role: Role): Promise<void> {
    const whom = this.#name(identity);
    this.asked.push(`role ${whom} ${role}`);
    this.#people = this.#people.map(([name, now]) => [name, name === whom ? role : now]);
    this.#change({ what: "role", whom, role });
  }

  async describe({ title, topic }: { title: string; topic: string }): Promise<void> {
    this.asked.push(`describe ${title}: ${topic}`);
    this.title = title;
    this.topic = topic;
    this.#change({ what: "info" });
  }

  async setTimer(seconds: number): Promise<void> {
    this.timer = seconds;
    this.#change({ what: "timer", seconds });
  }

  async setSlow(seconds: number): Promise<void> {
    this.slow = seconds;
    this.#change({ what: "slow", seconds });
  }

  async close(): Promise<void> {
    this.asked.push("close");
    this.closed = true;
    this.#change({ what: "close" });
  }

  async delete(): Promise<void> {
    this.asked.push("delete");
    this.#gone(this);
  }

  async report(id: string, why: Why, words: string): Promise<void> {
    this.asked.push(`report ${why} ${words}`);
    if (!this.everything.some((one) => one.id === id)) throw new Refusal("no_entry", "", 404);
  }

  /** Somebody says something. */
  hear(by: string, text: string, more: Partial<Said> = {}): void {
    this.#say({ ago: 0, by, text, ...more });
    this.unread += 1;
  }

  #name(identity: string): string {
    return this.members.find((one) => one.identity === identity)!.name;
  }

  #show(count: number): void {
    this.#shown = Math.min(Math.max(count, 1), Math.max(1, this.everything.length));
    this.older = this.#shown < this.everything.length ? "more" : "none";
  }

  #change(change: RosterChange): void {
    this.#say({ ago: 0, by: ME, change });
  }

  #say(line: Said): void {
    const made = this.#message(line, this.everything.length, Math.floor(Date.now() / 1000));
    this.everything = [...this.everything, made];
    if (this.#shown > 0) this.#shown += 1;
    if (made.state === "sealed" && this.pace > 0)
      setTimeout(
        () => this.#alter(made.id, (one) => ({ ...one, state: "posted", number: this.everything.length })),
        this.pace,
      );
  }

  #alter(id: string, step: (one: ChannelMessage) => ChannelMessage): void {
    this.everything = this.everything.map((one) => (one.id === id ? step(one) : one));
  }

  #message(line: Said, at: number, now: number): ChannelMessage {
    const { ago, by, reply, attachment, ...rest } = line;
    const id = (index: number): string => `${this.id.slice(0, 8)}${String(index).padStart(8, "0")}`;
    const waits = line.state === "sealed" || line.state === "failed";
    return {
      id: id(at),
      number: waits ? 0 : at + 1,
      entry: waits ? "" : identityOf(id(at)).slice(0, 32),
      kind: line.change ? "change" : "text",
      mine: by === ME,
      name: by,
      identity: identityOf(by),
      left: false,
      text: "",
      sent: Math.floor(now - ago),
      state: by === ME && !line.change ? "posted" : "",
      problem: null,
      reactions: [],
      edited: false,
      deleted: null,
      pinned: false,
      mentions: [...(line.text ?? "").matchAll(/@([a-z0-9.]+)/g)].map((found) => found[1]!),
      mentionsMe: new RegExp(`@${ME}\\b`).test(line.text ?? ""),
      expires: null,
      unreadable: null,
      change: null,
      ...rest,
      reply: reply?.startsWith("-") ? id(at + Number(reply)) : (reply ?? null),
      attachment: attachment ? withContent(attachment) : null,
    };
  }
}

/** An identity for a name, always the same. */
export function identityOf(name: string): string {
  return hex(sha3_256(new TextEncoder().encode(name)));
}
