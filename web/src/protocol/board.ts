/** Boards: what members sign to post, change and moderate, how anybody checks it, and what the box says of its boards. As `appliance/protocol/board.py` has them. */
import { concat } from "./bytes.ts";
import { decode, encode } from "./cbor.ts";
import { SIGNATURE_SIZE, hash, sign, verify } from "./keys.ts";
import type { Claim } from "./manySignatures.ts";
import { NAME, isPlain } from "./names.ts";
import { Refusal, refusing } from "./refusal.ts";
import {
  bytes,
  integer,
  isInteger,
  isMap,
  map,
  oneOf,
  optional,
  text,
  type Read,
  type Shape,
} from "./shape.ts";

export const VERSION = 1;
/** Code points. */
export const MAX_SUBJECT = 200;
/** Octets of a post's Markdown. */
export const MAX_POST_OCTETS = 65_536;
/** Octets of a signed value. */
export const MAX_SIGNED = 71_680;
export const MAX_REASON = 500;
export const MAX_TOPIC = 128;
export const MAX_DATA = 4096;
export const MAX_TITLE = 64;
export const MAX_PEERS = 32;
export const MAX_ABOUT = 1000;

const POST_CONTEXT = "post";
const BOX_CONTEXT = "box_post";

const ID = bytes(16);
const MARKDOWN = text(MAX_POST_OCTETS, 1);
const SUBJECT = text(MAX_SUBJECT, 1);

const COMMON = {
  v: integer(VERSION, VERSION),
  id: ID,
  board: ID,
  sent: integer(0),
  name: NAME,
  onion: bytes(32),
  identity: optional(bytes(32)),
};

const SHAPES = {
  post: map({
    ...COMMON,
    kind: oneOf("post"),
    body: MARKDOWN,
    thread: optional(ID),
    reply: optional(ID),
    subject: optional(SUBJECT),
  }),
  edit: map({
    ...COMMON,
    kind: oneOf("edit"),
    target: ID,
    previous: bytes(32),
    body: MARKDOWN,
    subject: optional(SUBJECT),
  }),
  delete: map({ ...COMMON, kind: oneOf("delete"), target: ID }),
  moderate: map({
    ...COMMON,
    kind: oneOf("moderate"),
    target: ID,
    act: oneOf("pin", "unpin", "lock", "unlock", "remove", "remove_thread", "release"),
    reason: optional(text(MAX_REASON)),
  }),
  event: map({ ...COMMON, kind: oneOf("event"), subject: text(MAX_TOPIC, 1), data: bytes(0, MAX_DATA) }),
};

/** The kind of the log's entry by the word that is signed. */
export const ENTRY_KINDS = { post: 1, edit: 2, delete: 3, moderate: 4, event: 5 } as const;

/** `T` with the keys that may be undefined left out freely. */
type Loose<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: T[K];
};

/** What a kind of signed value says. */
export type SignedOf<K extends keyof typeof SHAPES> = Loose<Read<(typeof SHAPES)[K]>>;
export type Post = SignedOf<"post">;
export type Edit = SignedOf<"edit">;
export type Deletion = SignedOf<"delete">;
export type Moderation = SignedOf<"moderate">;
export type Notice = SignedOf<"event">;
/** One signed value, told apart by `kind`. */
export type BoardValue = Post | Edit | Deletion | Moderation | Notice;
export type Act = Moderation["act"];

/** A signed value that was checked; `vouched` when the box signed it and not its author. */
export type Opened = { value: BoardValue; vouched: boolean };

/** A value as it travels, signed by its author's identity (or, without one, by the box); Refusals too_large, bad_post. */
export function writeSigned(seed: Uint8Array, value: BoardValue): Uint8Array<ArrayBuffer> {
  const body = refusing("bad_post", () => encode(value));
  const signed = concat(sign(seed, value.identity ? POST_CONTEXT : BOX_CONTEXT, body), body);
  if (signed.length > MAX_SIGNED) throw new Refusal("too_large");
  readSigned(signed);
  return signed;
}

/**
 * The value, its signature checked under the key it names; Refusal bad_post, unknown_version.
 *
 * That the key is the one the directory shows for the name at that box is for the caller to say.
 */
export function readSigned(signed: Uint8Array): Opened {
  const { opened, claim } = parseSigned(signed);
  refusing("bad_post", () => verify(claim.key, claim.signature, claim.context, claim.message));
  return opened;
}

/** The value and whose signature it claims to have, still to be verified: for many at once. Refusals as `readSigned`. */
export function parseSigned(signed: Uint8Array): { opened: Opened; claim: Claim } {
  return refusing("bad_post", () => {
    if (signed.length > MAX_SIGNED) throw new Refusal("bad_post");
    const message = signed.subarray(SIGNATURE_SIZE);
    const decoded = decode(message);
    if (!isMap(decoded) || !isInteger(decoded.v) || typeof decoded.kind !== "string" || decoded.v < VERSION)
      throw new Refusal("bad_post");
    if (decoded.v > VERSION || !Object.hasOwn(SHAPES, decoded.kind)) throw new Refusal("unknown_version");
    const value = (SHAPES as Record<string, Shape<unknown>>)[decoded.kind]!(decoded) as BoardValue;
    if (!isSound(value)) throw new Refusal("bad_post");
    const vouched = value.identity === undefined;
    const claim = {
      key: value.identity ?? value.onion,
      signature: signed.subarray(0, SIGNATURE_SIZE),
      context: vouched ? BOX_CONTEXT : POST_CONTEXT,
      message,
    };
    return { opened: { value, vouched }, claim };
  });
}

/** What an edit names of the version it replaces. */
export function digestSigned(signed: Uint8Array): Uint8Array {
  return hash(signed);
}

/** What the shapes do not say. */
function isSound(value: BoardValue): boolean {
  switch (value.kind) {
    case "post": {
      const opens = value.thread === undefined;
      if (opens !== (value.subject !== undefined) || (opens && value.reply !== undefined)) return false;
      return isSmall(value.body) && isLine(value.subject, MAX_SUBJECT);
    }
    case "edit":
      return isSmall(value.body) && isLine(value.subject, MAX_SUBJECT);
    case "event":
      return isLine(value.subject, MAX_TOPIC);
    case "moderate":
      return isLine(value.reason, MAX_REASON);
    case "delete":
      return true;
  }
}

function isSmall(body: string): boolean {
  return new TextEncoder().encode(body).length <= MAX_POST_OCTETS;
}

function isLine(words: string | undefined, most: number): boolean {
  return words === undefined || isPlain(words, most);
}

/** The least role that may post. */
export type Poster = "member" | "moderator" | "admin";

/** What everything signed has: version, own id, board, second, and whose it is at which box. */
export interface Word {
  v: number;
  id: Uint8Array;
  board: Uint8Array;
  sent: number;
  name: string;
  onion: Uint8Array;
  identity?: Uint8Array | null;
}

/**
 * A board with what stands in it. Its id is that of its log, and of its room.
 *
 * `days` and `most` bound what it keeps, `karma` who may post; `peers` are the onion keys of the boxes that may read
 * all of it; of a mirror, `home` is the onion key of the box whose board it is; `last` is the log's highest number.
 */
export interface Board {
  id: Uint8Array;
  title: string;
  about: string;
  days: number;
  most: number;
  realtime: boolean;
  posters: Poster;
  karma: number;
  slow: number;
  order: number;
  closed: boolean;
  peers: Uint8Array[];
  home: Uint8Array | null;
  made_hour: number;
  threads: number;
  posts: number;
  last: number;
}

/** Every board, in the order its owner gave them. */
export interface Boards {
  boards: Board[];
}

/**
 * Make a board; the same `id` again is answered alike.
 *
 * A thread is kept for `days` after its last post; beyond `most` posts the quietest threads go.
 */
export interface NewBoard {
  id: Uint8Array;
  title: string;
  about?: string;
  days?: number;
  most?: number;
  realtime?: boolean;
  posters?: Poster;
  karma?: number;
  slow?: number;
  order?: number;
}

/** What is named is changed. A closed board can be read and not written to. */
export interface ChangeBoard {
  title?: string | null;
  about?: string | null;
  days?: number | null;
  most?: number | null;
  realtime?: boolean | null;
  posters?: Poster | null;
  karma?: number | null;
  slow?: number | null;
  order?: number | null;
  closed?: boolean | null;
  peers?: Uint8Array[] | null;
}

/** A thread in the list: the box's word for its first post. `last` is its newest post's number. */
export interface Thread {
  thread: Uint8Array;
  number: number;
  subject: string;
  name: string;
  posts: number;
  last: number;
  last_name: string;
  last_hour: number;
  pinned: boolean;
  locked: boolean;
}

/** Threads by last post, the newest first; those that are pinned stand apart, on the first page only. */
export interface Threads {
  board: Uint8Array;
  pinned: Thread[];
  threads: Thread[];
  more: boolean;
  last: number;
}

/**
 * A post as it stands: what its author signed first, and the newest edit; neither when it was removed.
 *
 * `edits` counts its versions after the first.
 */
export interface PostView {
  number: number;
  id: Uint8Array;
  hour: number;
  post: Uint8Array | null;
  edit: Uint8Array | null;
  edits: number;
  own: boolean;
  removed: "author" | "moderator" | "expired" | null;
}

/** A stretch of a thread, and the signed directory entries of those who wrote in it. */
export interface Posts {
  board: Uint8Array;
  thread: Thread;
  posts: PostView[];
  more: boolean;
  authors: Uint8Array[];
}

/** Everything a post has said: signed versions from the first on; and where it stands, by the box's word. */
export interface Versions {
  thread: Uint8Array;
  number: number;
  versions: Uint8Array[];
  authors: Uint8Array[];
}

/** A signed value for the board's log; the same again is answered alike. */
export interface Submit {
  signed: Uint8Array;
}

/** The number it has. `held` when a moderator looks at it first. */
export interface Submitted {
  number: number;
  held: boolean;
}

/** One event and its number. */
export interface NumberedNotice {
  number: number;
  signed: Uint8Array;
}

/** Events of a board after a number, signed, with the directory entries of who made them. */
export interface Notices {
  notices: NumberedNotice[];
  last: number;
  more: boolean;
  authors: Uint8Array[];
}

/** An entry that only moderators and its author see, until a moderator lets it through or removes it. */
export interface HeldEntry {
  number: number;
  id: Uint8Array;
  hour: number;
  signed: Uint8Array;
  own: boolean;
}

/** Entries that wait, in order: all of them for moderators, their own for others. */
export interface Held {
  entries: HeldEntry[];
  more: boolean;
  authors: Uint8Array[];
}

/** The secret part of one's feeds' addresses. */
export interface FeedLink {
  secret: string;
}
