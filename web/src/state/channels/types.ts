/**
 * What the pages see of channels. Every object here is reactive (Svelte runes) and read-only for the pages; they
 * change it only through its methods, which reject with `Refusal` (state/api.ts). Times are Unix seconds, ids hex.
 */
import type { Why } from "../../protocol/moderation.ts";
import type { Role } from "../../protocol/roster.ts";
import type { Attachment } from "../messenger/types.ts";

export type { Role, Why };

/** Channels of the account's box. */
export interface ChannelDesk {
  /** loading: the list was not read yet; failed: see `problem`, and `refresh`. */
  readonly phase: "loading" | "ready" | "failed";
  /** Code of the refusal. */
  readonly problem: string | null;
  /** Those one is in, the latest activity first. */
  readonly mine: readonly Channel[];
  /** What is new in them is still being read: the order may change once more. */
  readonly settling: boolean;
  /** Public ones one may join, by title. */
  readonly others: readonly Channel[];
  /** Messages not yet read in channels that are not muted. */
  readonly unread: number;
  /** Somebody wrote @name of this account in one of them, and it was not read. */
  readonly mentioned: boolean;

  find(id: string): Channel | undefined;
  /** Begin to show a channel: reads its roster and its newest messages. Refusal no_channel, not_member, bad_roster. */
  open(id: string): Promise<Channel>;
  /** It is in view no more: its messages may be dropped from memory. */
  leave(id: string): void;
  refresh(): Promise<void>;
  create(made: { title: string; topic: string; public: boolean }): Promise<Channel>;
}

export interface ChannelMember {
  readonly name: string;
  /** Identity key in hex: the seed of the avatar, and the id of a conversation with them. */
  readonly identity: string;
  readonly role: Role;
  readonly me: boolean;
  /** Is here now and lets it be seen. */
  readonly here: boolean;
  /** The directory shows another identity (or nobody) under this name: gets no keys. */
  readonly missing: boolean;
}

export interface Channel {
  readonly id: string;
  /** "" when its key has not come yet (a private channel one was just let into). */
  readonly title: string;
  readonly topic: string;
  readonly public: boolean;
  readonly closed: boolean;
  /** null: not a member. */
  readonly role: Role | null;
  readonly count: number;
  /** By role, then name; empty before `open`. */
  readonly members: readonly ChannelMember[];
  /** The box, or a member, showed another roster than the one known: nothing is sent. */
  readonly alarm: boolean;
  readonly muted: boolean;
  readonly unread: number;
  readonly mentioned: boolean;
  /** Seconds after which what is said from now on disappears; 0 never. */
  readonly timer: number;
  /** Seconds between two messages of a member; 0 none. */
  readonly slow: number;
  /** Second at which this account may write again (slow mode, limits); 0 now. */
  readonly waitUntil: number;
  readonly draft: string;
  /** Keys are on their way to members' devices before a message can leave. */
  readonly giving: { readonly done: number; readonly total: number } | null;
  /** Messages and changes of the roster, oldest first; grows at the front by `loadOlder`. */
  readonly messages: readonly ChannelMessage[];
  readonly older: "none" | "more" | "loading";
  /** How far catching up is; null when it is not under way. */
  readonly progress: { readonly done: number; readonly total: number } | null;
  /** The newest message, also before `open` when it is known. */
  readonly last: ChannelMessage | null;
  /** Pinned messages that are still there, the latest pinned first, as far as the log was read. */
  readonly pins: readonly ChannelMessage[];
  /** The number up to which it was read when it was opened: a line is drawn behind it. */
  readonly readTo: number;

  join(): Promise<void>;
  quit(): Promise<void>;
  loadOlder(): Promise<void>;
  /** Load until the message with this id, or of this entry, is among `messages`; false when it is gone. */
  reach(id: string): Promise<boolean>;
  /** Shown at once as "sealed"; resolves when it is in the vault. */
  send(text: string, reply?: string): Promise<void>;
  edit(id: string, text: string): Promise<void>;
  /** One's own: take back for everybody; somebody else's: as who keeps order (the box says "removed by …"). */
  remove(id: string): Promise<void>;
  /** "" takes one's reaction back. */
  react(id: string, emoji: string): Promise<void>;
  pin(id: string, on: boolean): Promise<void>;
  /** Send a failed message again, or drop it. */
  retry(id: string): Promise<void>;
  drop(id: string): Promise<void>;
  /** Everything up to now was seen. */
  markRead(): void;
  mute(muted: boolean): Promise<void>;
  saveDraft(text: string): void;
  /** Messages of this channel with this text, newest first; goes back through the log. */
  search(text: string, limit?: number): Promise<ChannelMessage[]>;

  invite(name: string, role: Role): Promise<void>;
  putOut(identity: string): Promise<void>;
  setRole(identity: string, role: Role): Promise<void>;
  describe(info: { title: string; topic: string }): Promise<void>;
  setTimer(seconds: number): Promise<void>;
  setSlow(seconds: number): Promise<void>;
  /** Nothing is said in it any more; what was said stays. */
  close(): Promise<void>;
  /** It is gone for everybody. */
  delete(): Promise<void>;
  /** Report a message to those who look after the box, with what it says as evidence. */
  report(id: string, why: Why, words: string): Promise<void>;
}

/**
 * waits: its key has not come yet, it was asked for; before: from before one's time here; newer: made by a newer
 * version; forged: not what its member wrote, or posted a second time.
 */
export type Unreadable = "waits" | "before" | "newer" | "forged";

/** sealed: in the vault, on its way; posted: in the channel; failed: see `problem`. "" for others' messages. */
export type ChannelState = "sealed" | "posted" | "failed" | "";

export interface ChannelMessage {
  /** Of its content; of a message that cannot be read, or a change of the roster, that of its entry. */
  readonly id: string;
  /** Its number in the log; 0 before it is posted. */
  readonly number: number;
  /** Id of its entry in the log, by which the box and reports name it; "" before it is posted. */
  readonly entry: string;
  readonly kind: "text" | "attachment" | "change" | "unknown";
  readonly mine: boolean;
  readonly name: string;
  readonly identity: string;
  /** Its author is no member any more. */
  readonly left: boolean;
  readonly text: string;
  /** By the author's clock, but not later than the hour the box took it in. */
  readonly sent: number;
  readonly state: ChannelState;
  readonly problem: string | null;
  readonly reply: string | null;
  readonly reactions: readonly ChannelReaction[];
  readonly edited: boolean;
  /** Its author took it back, or one who keeps order took it down; null: it stands. */
  readonly deleted: "author" | "moderator" | null;
  readonly pinned: boolean;
  /** Names of members who are mentioned, and whether one is oneself. */
  readonly mentions: readonly string[];
  readonly mentionsMe: boolean;
  readonly attachment: Attachment | null;
  /** Second at which it disappears; null when it does not. */
  readonly expires: number | null;
  readonly unreadable: Unreadable | null;
  /** kind "change": what was changed in the roster, by `name`. */
  readonly change: RosterChange | null;
}

export interface ChannelReaction {
  readonly emoji: string;
  readonly names: readonly string[];
  readonly mine: boolean;
}

export type RosterChange =
  | { readonly what: "create" | "join" | "leave" | "info" | "close" }
  | { readonly what: "add" | "role"; readonly whom: string; readonly role: Role }
  | { readonly what: "remove"; readonly whom: string }
  | { readonly what: "timer" | "slow"; readonly seconds: number };
