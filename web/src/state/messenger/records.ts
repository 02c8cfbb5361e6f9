/** What lies in the vault: the records' names and shapes. Ids in names are hex; keys are snake-free and short. */
import type { Value } from "../../protocol/cbor.ts";
import type { PostChannel } from "../../protocol/channel.ts";
import type { Session } from "../../protocol/account.ts";
import type { Bundle } from "../../protocol/directory.ts";
import type { Attachment, Content } from "../../protocol/content.ts";
import type { Peer } from "../../protocol/peer.ts";
import type { LastingSecret, OneTimeSecret } from "../../protocol/prekeys.ts";
import type { Route } from "../../protocol/route.ts";
import type { LogHead } from "../../protocol/transparency.ts";
import type { Settings } from "./types.ts";

export const names = {
  account: "account",
  index: "index",
  logs: "logs",
  knock: "knock",
  boards: "boards",
  channels: "channels",
  ignored: "ignored",
  head: (device: string): string => `head/${device}`,
  keys: (device: string): string => `keys/${device}`,
  prekeys: (device: string): string => `prekeys/${device}`,
  wants: (device: string): string => `wants/${device}`,
  outgoing: (device: string): string => `outgoing/${device}`,
  session: (device: string, peer: string): string => `session/${device}/${peer}`,
  uploads: "uploads",
  talk: (conversation: string): string => `talk/${conversation}`,
  person: (conversation: string): string => `person/${conversation}`,
  /** Of a correspondent, or under one's own identity; read when it is first shown. */
  picture: (conversation: string): string => `picture/${conversation}`,
  segment: (device: string, conversation: string, number: number): string =>
    `log/${device}/${conversation}/${number}`,
  channel: (id: string): string => `channel/${id}`,
  /** A record of a channel's cipher, by the name that the cipher gives it. */
  channelKeys: (id: string, name: string): string => `channel/${id}/${name}`,
  posting: (id: string, device: string): string => `channel/${id}/posting/${device}`,
};

/** The account: its identity and its devices. */
export interface AccountRecord {
  v: 1;
  account: Uint8Array;
  name: string;
  onion: string;
  seed: Uint8Array;
  display: string;
  /** Mark of the picture one shows; empty, or not there in records of earlier versions: none. */
  picture?: Uint8Array;
  /** IANA name of the zone in which times are shown; "" or not there: the browser's. */
  zone?: string;
  settings: {
    readReceipts: boolean;
    typing: boolean;
    presence: boolean;
    notifications: boolean;
    /** Whether contacts are told the zone. */
    zone?: boolean;
  };
  devices: SeatRow[];
}

export interface SeatRow {
  device: Uint8Array;
  label: string;
  signing: Uint8Array;
  agreement: Uint8Array;
  added: number;
}

/** Which conversations there are. */
export interface IndexRecord {
  v: 1;
  ids: string[];
}

/** Two checkpoints of one box of which the later does not continue the earlier; kept as evidence. */
export interface Contradiction {
  host: string;
  hour: number;
  /** The head that was remembered, and its signed checkpoint ("" where an older client kept the head only). */
  before: LogHead;
  note: string;
  /** The later checkpoint. */
  after: string;
  /** A person went on with the later one. */
  accepted: boolean;
}

/** The heads of directory logs and their checkpoints, by onion address, and contradictions seen. */
export interface LogsRecord {
  v: 1;
  heads: Record<string, LogHead>;
  notes?: Record<string, string>;
  contradictions?: Contradiction[];
}

/** Who sits on a device, and how far it is. Written with every change of the device. */
export interface HeadRecord {
  v: 1;
  generation: number;
  /** Of the browser that sits there. */
  instance: Uint8Array;
  /** Of the last write, to know one's own again when its answer was lost. */
  write: Uint8Array;
  epoch: Uint8Array;
  alive: number;
  left: boolean;
  /** Queue numbers up to this one were processed, but those in `held`. */
  done: number;
  held: number[];
  /** The correspondents' devices: handle, device, version of the session record. */
  sessions: SessionMark[];
}

export interface SessionMark {
  handle: Uint8Array;
  peer: Uint8Array;
  version: number;
}

/** A device's own secrets. */
export interface KeysRecord {
  v: 1;
  signing: Uint8Array;
  agreement: Uint8Array;
  lasting: LastingSecret[];
  /** Digest of the bundle that was published last. */
  shown: Uint8Array;
  replays: { mark: Uint8Array; hour: number }[];
}

export interface PrekeysRecord {
  v: 1;
  /** Id of the next one to be made. */
  next: number;
  secrets: OneTimeSecret[];
}

/** What a device was told and has not acknowledged (`telling.ts`). */
export interface Tell {
  what: "routes" | "hello";
  /** Of what was told. */
  digest: Uint8Array;
  /** Ids of its contents. */
  ids: Uint8Array[];
  /** With which it left last. */
  dispatches: Uint8Array[];
  /** When that was, in seconds, and how many times. */
  at: number;
  tries: number;
}

/** What we have with one device of somebody. */
export interface SessionRecord {
  v: 1;
  peer: Peer;
  conversation: string;
  handle: Uint8Array;
  /** Where that device wants its mail; empty: its request mailbox, from the bundle. */
  routes: Route[];
  /** Digest of the routes and name it knows of us. */
  told: Uint8Array;
  /** Seconds of the last re-establishment. */
  resynced: number;
  /** Headers that came (`replays.ts`); not there in records of earlier versions. */
  seen?: Uint8Array;
  /** What it has not acknowledged. */
  tells?: Tell[];
}

/** Messages saved but not known to have left. */
export interface OutgoingRecord {
  v: 1;
  entries: { id: Uint8Array; conversation: string; dispatch: Uint8Array; hour: number }[];
}

/** Attachments whose chunks are not all here yet. */
export interface WantsRecord {
  v: 1;
  contents: Attachment[];
}

/** An attachment of which not every chunk was handed over yet, and the device that is at it. */
export interface UploadEntry {
  conversation: string;
  device: Uint8Array;
  content: Attachment;
}

/** Attachments on their way out, of all devices of the account. */
export interface UploadsRecord {
  v: 1;
  entries: UploadEntry[];
}

export interface TalkRecord {
  v: 1;
  state: "request" | "contact" | "blocked";
  /** What it was before it was blocked. */
  before: "request" | "contact";
  timer: number;
  muted: boolean;
  draft: string;
  /** Ids of messages not read yet. */
  fresh: Uint8Array[];
  last: LastLine | null;
  segments: Record<string, number>;
  /** Messages taken in, and what is known of those before (`unread.ts`); not there in records of earlier versions. */
  taken?: Uint8Array;
  forgotten?: number;
  /** The second at which the next message disappears, 0 none; by device the first stretch to look at (`expiry.ts`). */
  expires?: number;
  timed?: Record<string, number>;
}

/** Enough of the last message to show it in the list. */
export interface LastLine {
  id: Uint8Array;
  at: number;
  mine: boolean;
  kind: string;
  text: string;
}

export interface PersonRecord {
  v: 1;
  name: string;
  onion: string;
  identity: Uint8Array;
  display: string;
  /** Mark of the picture they show, and their zone; as in the account's record. */
  picture?: Uint8Array;
  zone?: string;
  verified: boolean;
  /** Signed entry as last seen; empty when only a message told of them. */
  entry: Uint8Array;
  checked: number;
  /** Another identity stands under this name since `hour`. */
  change: { identity: Uint8Array; hour: number } | null;
}

/** What somebody looks like: a JPEG (`protocol/picture.ts`). Its mark stands with whom it shows. */
export interface PictureRecord {
  v: 1;
  picture: Uint8Array;
}

/** What all devices of the account remember of a channel (SPEC section 30). */
export interface ChannelRecord {
  v: 1;
  /** Of its roster as it was seen last (`membership.store`); empty: not yet. */
  state: Record<string, Value>;
  /** Of its sealed titles, the newest first. */
  info_keys: Uint8Array[];
  /** identity ‖ device of whom there are chains. */
  devices: Uint8Array[];
  /** Hours at which chains were asked for, by their ids. */
  asked: Record<string, number>;
  /** A member's device showed another roster. */
  alarm?: boolean;
}

/** A message to a channel, from before it leaves until it is answered. */
export interface PostingRecord {
  v: 1;
  post: PostChannel;
  payload: Uint8Array;
}

export interface SegmentRecord {
  v: 1;
  events: LogEvent[];
}

/** Made by a newer version: only its id is known. */
export interface NewerContent {
  v: number;
  id: Uint8Array;
  kind: "newer";
  sent: number;
}

/** What it said was taken out. */
export interface GoneContent {
  v: number;
  id: Uint8Array;
  kind: "gone";
  sent: number;
}

export type LogContent = Content | NewerContent | GoneContent;

/**
 * Something that happened in a conversation, `at` in milliseconds by this device's clock. m: a content of mine (by 0) or theirs
 * (by 1), `d` the dispatch it left with; r: a receipt of device `dev`; s: I read these, their timers run;
 * n: a notice; l: a message of `dev` could not be read; h: `dev` is in step again; f: sending failed; x: removed.
 */
export type LogEvent =
  | { k: "m"; at: number; by: 0 | 1; c: LogContent; d?: Uint8Array; dev?: Uint8Array }
  | { k: "r"; at: number; what: "delivered" | "read"; t: Uint8Array[]; dev: Uint8Array }
  | { k: "s"; at: number; t: Uint8Array[] }
  | { k: "n"; at: number; id: Uint8Array; what: string }
  | { k: "l"; at: number; id: Uint8Array; dev: Uint8Array }
  | { k: "h"; at: number; dev: Uint8Array }
  | { k: "f"; at: number; id: Uint8Array; code: string }
  | { k: "x"; at: number; t: Uint8Array[] };

export type { Bundle, Content, Peer, Route };

/** A channel of which nothing is known yet. */
export const NEW_CHANNEL: ChannelRecord = {
  v: 1,
  state: {},
  info_keys: [],
  devices: [],
  asked: {},
  alarm: false,
};

/** What holds where nothing else was chosen. */
export const SETTINGS: Settings = {
  readReceipts: true,
  typing: true,
  presence: true,
  notifications: false,
  zone: false,
};

/** The record of an account that was registered just now. */
export function newAccount({ account, name, onion }: Session, seed: Uint8Array): AccountRecord {
  const shown = { display: "", picture: new Uint8Array(), zone: "" };
  return { v: 1, account, name, onion, seed, ...shown, settings: SETTINGS, devices: [] };
}

/** A conversation that begins. */
export function newTalk(state: "request" | "contact"): TalkRecord {
  return {
    v: 1,
    state,
    before: state,
    timer: 0,
    muted: false,
    draft: "",
    fresh: [],
    last: null,
    segments: {},
    taken: new Uint8Array(),
    forgotten: 0,
    expires: 0,
    timed: {},
  };
}
