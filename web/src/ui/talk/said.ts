/** What the pages of conversations and of channels share: a place to write in, and what was said there. */
import { daysBetween, dayHeading } from "../../locales/format.ts";
import { t } from "../../locales/index.ts";
import type { Attachment } from "../../state/messenger/types.ts";

/** A message of either. */
export interface Said {
  readonly id: string;
  /** The entry of a channel's log that carries it. */
  readonly entry?: string;
  readonly mine: boolean;
  readonly kind: string;
  readonly text: string;
  readonly sent: number;
  readonly state: string;
  readonly reply: string | null;
  readonly edited: boolean;
  readonly attachment: Attachment | null;
  readonly expires: number | null;
}

/** Where one writes: a conversation or a channel. */
export interface Writable {
  readonly id: string;
  readonly draft: string;
  readonly sealing?: { readonly name: string; readonly progress: number } | null;
  readonly messages: readonly Said[];
  send(text: string, reply?: string): Promise<void>;
  sendFile?(file: File, text?: string): Promise<void>;
  sendVoice?(blob: Blob, seconds: number, peaks: Uint8Array): Promise<void>;
  edit(id: string, text: string): Promise<void>;
  setTyping?(typing: boolean): void;
  saveDraft(text: string): void;
}

/** A conversation or a channel that is read, and perhaps written in. */
export interface Spoken<M extends Said> extends Writable {
  readonly last: M | null;
  readonly older: "none" | "more" | "loading";
  markRead(): void;
  loadOlder(): Promise<void>;
  reach(id: string): Promise<boolean>;
}

/** A sign under a message: how many gave it; `words` say who. */
export interface Sign {
  readonly emoji: string;
  readonly count: number;
  readonly mine: boolean;
  readonly words: string;
}

/** After how long messages may disappear; 0 never. */
export const TIMERS = [0, 300, 3600, 86_400, 7 * 86_400, 28 * 86_400];
/** Messages of one person within this many seconds stand together. */
const TOGETHER = 5 * 60;

/** What a message says, as one line: its text, or its file and the words with it. */
export function lineOf(message: Pick<Said, "text" | "attachment">): string {
  const text = message.text.replace(/\s+/g, " ");
  if (!message.attachment) return text;
  const { voice, media, name } = message.attachment;
  const what = voice
    ? t.messages.voice
    : media.startsWith("image/")
      ? t.messages.photo
      : t.messages.file(name);
  return text ? `${what}: ${text}` : what;
}

/** Whether a day begins between two messages. */
export function newDay(earlier: Pick<Said, "sent"> | undefined, later: Pick<Said, "sent">): boolean {
  return !earlier || daysBetween(earlier.sent, later.sent) !== 0;
}

/** Whether the later of two messages of one person follows close on the other. */
export function follows(earlier: Said, later: Said): boolean {
  return later.sent - earlier.sent < TOGETHER && !newDay(earlier, later);
}

/** A day as a heading, with words for the last two. */
export function dayWords(seconds: number, now: number): string {
  const ago = daysBetween(seconds, now);
  if (ago <= 0) return t.messages.today;
  return ago === 1 ? t.messages.yesterday : dayHeading(seconds, now);
}

/** Whether nothing of its file is still to be sent. */
export function isWhole(message: Pick<Said, "attachment">): boolean {
  return !["sending", "stopped", "needed", "elsewhere", "checking"].includes(message.attachment?.state ?? "");
}

/** What one wrote last, if it can still be changed. */
export function lastOwn<M extends Said>(messages: readonly M[]): M | undefined {
  return messages.findLast((one) => one.mine && one.kind === "text" && one.text !== "");
}
