/** One fake conversation: shows older messages page by page, and lets what one sends wander through its states. */
import { sha3_256 } from "@noble/hashes/sha3.js";
import { Refusal } from "../src/state/api.ts";
import type {
  Attachment,
  Conversation,
  ConversationState,
  Message,
  MessageState,
} from "../src/state/messenger/types.ts";
import { picture } from "./picture.ts";
import type { Line } from "./talk.ts";

const PAGE = 60;
const WAY: MessageState[] = ["sealed", "waiting", "box", "delivered", "read"];

interface Start {
  name?: string;
  display?: string;
  zone?: string;
  state?: ConversationState;
  verified?: boolean;
  keyChange?: { hour: number } | null;
  timer?: number;
  typing?: boolean;
  hereNow?: boolean;
  muted?: boolean;
  unread?: number;
  draft?: string;
  devices?: number;
  lines?: Line[];
  gone?: (one: FakeConversation) => void;
}

export class FakeConversation implements Conversation {
  readonly id: string;
  readonly name: string;
  readonly display: string;
  readonly picture = "";
  readonly zone: string;
  readonly devices: number;
  readonly sealing = null;
  state = $state<ConversationState>("contact");
  verified = $state(false);
  keyChange = $state.raw<{ hour: number } | null>(null);
  timer = $state(0);
  typing = $state(false);
  hereNow = $state(false);
  muted = $state(false);
  unread = $state(0);
  draft = $state("");
  older = $state<Conversation["older"]>("more");
  everything = $state.raw<Message[]>([]);
  #shown = $state(0);
  /** Milliseconds between two states of what is sent; 0: it stays sealed. */
  pace = 700;
  /** What was asked of it, for the tests. */
  readonly asked: string[] = [];
  readonly #gone: ((one: FakeConversation) => void) | undefined;

  constructor(
    readonly address: string,
    start: Start,
  ) {
    this.id = hex(sha3_256(new TextEncoder().encode(address)));
    this.name = start.name ?? address.split("@")[0]!;
    this.display = start.display ?? "";
    this.zone = start.zone ?? "";
    this.devices = start.devices ?? 1;
    this.state = start.state ?? "contact";
    this.verified = start.verified ?? false;
    this.keyChange = start.keyChange ?? null;
    this.timer = start.timer ?? 0;
    this.typing = start.typing ?? false;
    this.hereNow = start.hereNow ?? false;
    this.muted = start.muted ?? false;
    this.unread = start.unread ?? 0;
    this.draft = start.draft ?? "";
    this.#gone = start.gone;
    const now = Math.floor(Date.now() / 1000);
    const lines = start.lines ?? [];
    this.everything = lines.map((line, at) => this.#message(line, at, lines, now));
  }

  get last(): Message | null {
    return this.everything.at(-1) ?? null;
  }

  get messages(): readonly Message[] {
    return this.everything.slice(-this.#shown || this.everything.length);
  }

  get safety(): Conversation["safety"] {
    const digits = Array.from({ length: 12 }, (_, at) =>
      String((parseInt(this.id.slice(at * 4, at * 4 + 4), 16) * 31 + at) % 100_000).padStart(5, "0"),
    );
    return { digits, qr: `ISLAND-SAFETY:${this.id.toUpperCase()}` };
  }

  async appear(): Promise<void> {
    this.#show(Math.max(this.#shown, PAGE));
  }

  async loadOlder(): Promise<void> {
    if (this.older !== "more") return;
    this.older = "loading";
    await new Promise((done) => setTimeout(done, 300));
    this.#show(this.#shown + PAGE);
  }

  async reach(id: string): Promise<boolean> {
    const at = this.everything.findIndex((one) => one.id === id);
    if (at < 0) return false;
    this.#show(Math.max(this.#shown, this.everything.length - at + 20));
    return true;
  }

  async send(text: string, reply?: string): Promise<void> {
    this.asked.push(`send ${text}`);
    if (this.keyChange) throw new Refusal("key_changed", "Their safety number changed.", 409);
    this.#add({ ago: 0, by: "me", text, state: "sealed", reply: reply ?? null });
  }

  async sendFile(file: File, text = ""): Promise<void> {
    this.asked.push(`file ${file.name} ${text}`);
    const attachment = attached(file, null);
    this.#add({ ago: 0, by: "me", kind: "attachment", text, attachment, state: "sealed" });
  }

  async sendVoice(blob: Blob, seconds: number, peaks: Uint8Array): Promise<void> {
    this.asked.push(`voice ${Math.round(seconds)}`);
    const attachment = attached(new File([blob], "", { type: blob.type }), { seconds, peaks });
    this.#add({ ago: 0, by: "me", kind: "attachment", attachment, state: "sealed" });
  }

  async react(id: string, emoji: string): Promise<void> {
    this.asked.push(`react ${emoji}`);
    this.#change(id, (one) => {
      const others = one.reactions
        .map((each) => (each.mine ? { ...each, mine: false, count: each.count - 1 } : each))
        .filter((each) => each.count > 0);
      if (emoji === "") return { ...one, reactions: others };
      const same = others.find((each) => each.emoji === emoji);
      const rest = others.filter((each) => each !== same);
      return { ...one, reactions: [...rest, { emoji, count: (same?.count ?? 0) + 1, mine: true }] };
    });
  }

  async edit(id: string, text: string): Promise<void> {
    this.asked.push(`edit ${text}`);
    this.#change(id, (one) => ({ ...one, text, edited: true }));
  }

  async remove(id: string, forEveryone: boolean): Promise<void> {
    this.asked.push(`remove ${forEveryone ? "everyone" : "me"}`);
    if (forEveryone) this.#change(id, (one) => ({ ...one, deleted: true, text: "" }));
    else this.everything = this.everything.filter((one) => one.id !== id);
  }

  async retry(id: string): Promise<void> {
    this.asked.push("retry");
    this.#change(id, (one) => ({ ...one, state: "sealed", problem: null }));
  }

  markRead(): void {
    this.asked.push("read");
    this.unread = 0;
  }

  async setTimer(seconds: number): Promise<void> {
    this.timer = seconds;
    this.#add({ ago: 0, by: "me", kind: "timer", timer: seconds });
  }

  async accept(): Promise<void> {
    this.state = "contact";
    this.#add({ ago: 0, kind: "notice", notice: "accepted" });
  }

  async block(): Promise<void> {
    this.state = "blocked";
  }

  async unblock(): Promise<void> {
    this.state = "contact";
  }

  async report(reason: string): Promise<void> {
    this.asked.push(`report ${reason}`);
    this.state = "blocked";
  }

  async verify(verified = true): Promise<void> {
    this.verified = verified;
  }

  async acceptKeyChange(): Promise<void> {
    this.keyChange = null;
  }

  setTyping(typing: boolean): void {
    this.asked.push(`typing ${typing}`);
  }

  async mute(muted: boolean): Promise<void> {
    this.muted = muted;
  }

  saveDraft(text: string): void {
    this.draft = text;
  }

  async forget(): Promise<void> {
    this.#gone?.(this);
  }

  /** Something arrives from the other side. */
  hear(text: string): void {
    this.#add({ ago: 0, text });
    this.unread += 1;
  }

  #show(count: number): void {
    this.#shown = Math.min(Math.max(count, 1), Math.max(1, this.everything.length));
    this.older = this.#shown < this.everything.length ? "more" : "none";
  }

  #add(line: Line): void {
    const now = Date.now() / 1000;
    const made = this.#message(line, this.everything.length + 1_000, [], now);
    this.everything = [...this.everything, made];
    if (this.#shown > 0) this.#shown += 1;
    if (made.state === "sealed" && this.pace > 0) this.#wander(made.id, 1);
  }

  #wander(id: string, step: number): void {
    if (step >= WAY.length) return;
    setTimeout(() => {
      this.#change(id, (one) => ({ ...one, state: WAY[step]! }));
      this.#wander(id, step + 1);
    }, this.pace);
  }

  #change(id: string, step: (one: Message) => Message): void {
    this.everything = this.everything.map((one) => (one.id === id ? step(one) : one));
  }

  #message(line: Line, at: number, lines: Line[], now: number): Message {
    const { ago, by, reply, attachment, ...rest } = line;
    const back = reply?.startsWith("-") ? at + Number(reply) : undefined;
    return {
      id: `${this.id.slice(0, 8)}${String(at).padStart(8, "0")}`,
      mine: by === "me",
      kind: "text",
      text: "",
      sent: Math.floor(now - ago),
      state: "",
      until: null,
      relays: 0,
      reactions: [],
      edited: false,
      deleted: false,
      timer: 0,
      expires: null,
      unreadable: null,
      notice: null,
      problem: null,
      ...rest,
      reply:
        back === undefined || !lines[back]
          ? (reply ?? null)
          : `${this.id.slice(0, 8)}${String(back).padStart(8, "0")}`,
      attachment: attachment ? withContent(attachment) : null,
    };
  }
}

/** What an attachment that goes nowhere need not do. */
const STILL = { problem: null, cancel() {}, goOn() {}, choose: () => Promise.resolve(true) };

export function attached(file: File, voice: Attachment["voice"]): Attachment {
  const made = URL.createObjectURL(file);
  return {
    name: file.name,
    media: file.type,
    size: file.size,
    voice,
    state: "ready",
    ...STILL,
    progress: 1,
    url: async () => made,
    release: () => {},
  };
}

export function withContent(attachment: Attachment): Attachment {
  if (!attachment.media.startsWith("image/")) return attachment;
  return { ...attachment, url: async () => picture() };
}

export function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
