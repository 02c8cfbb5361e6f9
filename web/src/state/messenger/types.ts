/**
 * What the pages see of a person's messages. Every object here is reactive (Svelte runes) and read-only for
 * the pages; they change it only through its methods. Times are Unix seconds, hours whole hours since 1970,
 * ids text: a conversation's is the identity key in hex, a message's its content id in hex.
 * Methods that ask somebody far away reject with `Refusal` (state/api.ts), whose code has words in the catalogue.
 */

/** opening: the vault is being read; moved: another tab writes; alarm: see `Messenger.alarm`; locked: no vault key. */
export type Phase = "closed" | "opening" | "ready" | "offline" | "moved" | "alarm";

/** Why nothing may be written until a person has looked (Phase "alarm"). */
export type Alarm =
  /** The directory log of a box contradicts the one before: entries it had and has. */
  | { kind: "log"; host: string; before: number; after: number }
  /** The vault's key does not open what the box holds. */
  | { kind: "vault" };

/** Something that lasts: `what` is a key of the catalogue (messenger.progress.*), `total` 0 when not known. */
export interface Progress {
  what: "keys" | "index" | "history" | "devices" | "knock" | "prekeys";
  done: number;
  total: number;
}

export interface Me {
  address: string;
  name: string;
  display: string;
  /** Six groups of five digits. */
  fingerprint: string;
  /** Identity key in hex: the seed of the avatar. */
  identity: string;
  /** Mark of the picture shown to contacts; "" none. */
  picture: string;
  /** IANA name of the zone in which times are shown; "": the browser's. */
  zone: string;
  /** This device, hex. */
  device: string;
  devices: OwnDevice[];
}

/** A seat of the account: a browser or program that reads and writes. */
export interface OwnDevice {
  id: string;
  label: string;
  addedHour: number;
  /** Unix seconds of its last sign of life. */
  seen: number;
  current: boolean;
}

export interface Settings {
  /** Tell others when I have read; without it nothing is told, and others' marks still show. */
  readReceipts: boolean;
  typing: boolean;
  /** Show others on this box that I am here. */
  presence: boolean;
  /** Notifications of the browser; only offered on loopback. */
  notifications: boolean;
  /** Tell contacts the zone that was chosen. */
  zone: boolean;
}

/** What is to be another in one's own profile; a picture that is null is taken away. */
export interface ProfileChange {
  display?: string;
  picture?: Uint8Array | null;
  zone?: string;
}

export interface Messenger {
  readonly phase: Phase;
  readonly alarm: Alarm | null;
  readonly progress: Progress | null;
  /** Undefined until the account record was read. */
  readonly me: Me | undefined;
  readonly settings: Settings;
  /** Contacts and conversations one began oneself, latest first; blocked ones at the end. */
  readonly conversations: readonly Conversation[];
  /** People who wrote first and were not answered yet. */
  readonly requests: readonly Conversation[];
  /** Messages not yet read, muted conversations and requests left out. */
  readonly unread: number;
  /** live: events by WebSocket; polling: by long poll; offline: the box does not answer. */
  readonly connection: "live" | "polling" | "offline";
  /** Names of this box's members who are here now and let it be seen. */
  readonly here: readonly string[];
  /** Members of this box whose posts and channel messages this account does not want to read, by name. */
  readonly ignored: ReadonlySet<string>;

  find(id: string): Conversation | undefined;
  /** Begin to show a conversation: loads its newest messages; the same object until `forget`. */
  open(id: string): Conversation | undefined;
  /** No conversation is in view: its messages may be dropped from memory. */
  leave(id: string): void;
  /** Look somebody up (`name@….onion`) and begin a conversation; Refusal bad_address, no_account, unreachable, bad_entry, bad_log. */
  start(address: string): Promise<Conversation>;
  /** Messages with this text, newest first; goes through the whole history and reports progress. */
  search(text: string, limit?: number): Promise<Hit[]>;
  /** This tab writes from now on (Phase "moved"). */
  takeOver(): Promise<void>;
  changeSettings(settings: Partial<Settings>): Promise<void>;
  /** Ignore a member of this box from now on, or no more; nobody learns it. */
  ignore(name: string, ignored: boolean): Promise<void>;
  /** What accepted contacts see of one: name, picture, zone. Refusal bad_message. */
  changeProfile(change: ProfileChange): Promise<void>;
  /** The picture of somebody by their identity (hex) as a data: address; undefined: none, or not read yet. */
  picture(identity: string): string | undefined;
  /** Take one of one's own devices out of the directory; not the present one. */
  removeDevice(id: string): Promise<void>;
  /** A person has looked at the alarm: go on with the log that the box shows now, or leave it as it was. */
  dismissAlarm(accept: boolean): Promise<void>;
  /** What was read of the safety number of somebody by QR: whose it is, and whether it is right. */
  scanned(text: string): Scanned | undefined;
}

/** The safety code of somebody one writes to, or one that fits nobody; what is no safety code is undefined. */
export type Scanned =
  | { readonly conversation: Conversation; readonly matches: true }
  | { readonly conversation: null; readonly matches: false };

export type ConversationState = "pending" | "request" | "contact" | "blocked";

export interface Conversation {
  /** Identity key in hex; for a "pending" one (look-up not answered yet) the address. */
  readonly id: string;
  readonly address: string;
  readonly name: string;
  /** What the person calls themselves; "" when not told. Not to be trusted more than any text. */
  readonly display: string;
  /** Mark of the picture they chose; "" none. */
  readonly picture: string;
  /** IANA name of their time zone as they say; "" when not told. Perhaps no zone that is known here. */
  readonly zone: string;
  readonly state: ConversationState;
  readonly verified: boolean;
  /** The name has another identity key since that hour; nothing is sent before `acceptKeyChange`. */
  readonly keyChange: { hour: number } | null;
  /** Seconds after which messages disappear once read; 0 off. */
  readonly timer: number;
  readonly typing: boolean;
  readonly hereNow: boolean;
  readonly muted: boolean;
  readonly unread: number;
  readonly last: Message | null;
  readonly draft: string;
  /** A file on its way into a message: its name, and how much of it is sealed (0…1). */
  readonly sealing: { readonly name: string; readonly progress: number } | null;
  readonly devices: number;
  /** 60 digits in twelve groups of five, and the text of the QR code; null until both identities are known. */
  readonly safety: { digits: string[]; qr: string } | null;
  /** The newest messages, oldest first; grows at the front by `loadOlder`. */
  readonly messages: readonly Message[];
  readonly older: "none" | "more" | "loading";

  loadOlder(): Promise<void>;
  /** Load until message `id` is among `messages`; false when it is gone. */
  reach(id: string): Promise<boolean>;
  /** Resolves when the message is in the vault (shown at once, before that, as "sealed"). */
  send(text: string, reply?: string): Promise<void>;
  sendFile(file: File, text?: string): Promise<void>;
  sendVoice(blob: Blob, seconds: number, peaks: Uint8Array): Promise<void>;
  /** "" takes one's reaction back. */
  react(id: string, emoji: string): Promise<void>;
  edit(id: string, text: string): Promise<void>;
  remove(id: string, forEveryone: boolean): Promise<void>;
  /** Send a failed message again. */
  retry(id: string): Promise<void>;
  /** Everything up to now was seen; tells the other side if receipts are on and the state is "contact". */
  markRead(): void;
  setTimer(seconds: number): Promise<void>;
  accept(): Promise<void>;
  block(): Promise<void>;
  unblock(): Promise<void>;
  /** Block, and keep a notice of it with the reason; nothing leaves this account. */
  report(reason: string): Promise<void>;
  /** The numbers were compared: mark (or unmark) as verified. */
  verify(verified?: boolean): Promise<void>;
  acceptKeyChange(): Promise<void>;
  /** Call at every key stroke (true) and when the composer is emptied or left (false). */
  setTyping(typing: boolean): void;
  mute(muted: boolean): Promise<void>;
  /** Call at every change; kept in this browser at once and in the vault after a pause. */
  saveDraft(text: string): void;
  /** Delete the conversation and everything in it from the vault. */
  forget(): Promise<void>;
}

export type MessageKind = "text" | "attachment" | "timer" | "notice" | "unknown";

/** waiting: at one's own box; partly: on its way; relay: held until `until`; box: with the recipient's box. "" for others' messages. */
export type MessageState =
  | "sealed" | "waiting" | "relay" | "box" | "delivered" | "read" | "failed" | ""; // prettier-ignore

export interface Message {
  readonly id: string;
  readonly mine: boolean;
  readonly kind: MessageKind;
  readonly text: string;
  /** Seconds: by the sender's clock, but never later than it was received. */
  readonly sent: number;
  readonly state: MessageState;
  /** state "relay": the hour to which relays keep it, and how many have it. */
  readonly until: number | null;
  readonly relays: number;
  /** Id of the message this answers, and that message when it is loaded. */
  readonly reply: string | null;
  readonly reactions: readonly Reaction[];
  readonly edited: boolean;
  readonly deleted: boolean;
  readonly attachment: Attachment | null;
  /** kind "timer": the new number of seconds. */
  readonly timer: number;
  /** Second at which it disappears; null when it does not, or was not read yet. */
  readonly expires: number | null;
  /** asked: could not be read and was asked for again; newer: made by a newer version. */
  readonly unreadable: "asked" | "newer" | null;
  /** kind "notice": catalogue key of what happened (messenger.notice.*). */
  readonly notice: "key_changed" | "verified" | "reported" | "accepted" | null;
  /** state "failed": the code of the refusal (words are in the catalogue under errors). */
  readonly problem: string | null;
}

export interface Reaction {
  readonly emoji: string;
  readonly count: number;
  readonly mine: boolean;
}

/**
 * remote: can be fetched; sending/loading/checking: see `progress` (0…1); arriving: the rest of it is still to come;
 * missing: gone from the box. Of one's own: stopped, can go on; needed: its file must be chosen again; elsewhere:
 * another device of one's own has not sent all of it.
 */
export type AttachmentState =
  | "sending" | "stopped" | "needed" | "elsewhere" | "checking"
  | "remote" | "loading" | "ready" | "arriving" | "missing"; // prettier-ignore

export interface Attachment {
  readonly name: string;
  readonly media: string;
  readonly size: number;
  /** remote: can be fetched; sending/loading: see `progress` (0…1); missing: gone from the box. */
  readonly state: AttachmentState;
  readonly progress: number;
  /** state "stopped" or "needed": the code of the refusal that stopped it, if one did. */
  readonly problem: string | null;
  readonly voice: { readonly seconds: number; readonly peaks: Uint8Array } | null;
  /** A blob: address of the content, fetched and checked; good until `release`. */
  url(): Promise<string>;
  release(): void;
  /** Stop fetching (state "loading"); what is here already is not fetched again. */
  cancel(): void;
  /** Go on with sending (state "stopped"). */
  goOn(): void;
  /** The file once more (state "needed" or "elsewhere"); false when it is another one. */
  choose(file: Blob): Promise<boolean>;
}

/** One place where the searched text was found. */
export interface Hit {
  readonly conversation: string;
  readonly message: string;
  readonly text: string;
  readonly sent: number;
  readonly mine: boolean;
}
