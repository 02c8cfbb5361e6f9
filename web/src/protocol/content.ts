/** Content: what one message says, as it stands inside a session; one type for each kind. */
import { decode, encode } from "./cbor.ts";
import { MAX_FILE_NAME, MAX_NAME, cleanFileName, isPlain } from "./names.ts";
import { MAX_OCTETS as MAX_PICTURE, readPicture } from "./picture.ts";
import { Refusal, refusing } from "./refusal.ts";
import { ROUTE } from "./route.ts";
import {
  bytes,
  integer,
  isInteger,
  isMap,
  list,
  map,
  oneOf,
  optional,
  text,
  type Read,
  type Shape,
} from "./shape.ts";

export const VERSION = 1;
/** Octets of one content; so it fits the largest envelope also as a first message. */
export const MAX_OCTETS = 14_000;
/** Code points. */
export const MAX_TEXT = 8000;
export const MAX_TIMER = 31_536_000;
/** Chunk ids in a manifest; of a larger attachment it names the index chunks. */
export const MAX_LISTED = 512;

export const MAX_TARGETS = 64;
/** Messages of one chain of sender keys. */
export const MAX_ITERATIONS = 1000;
/** Characters of the name of a time zone. */
export const MAX_ZONE = 64;
const ZONE = /^[A-Za-z0-9_+/-]*$/;
const U32 = 0xffff_ffff;
const MAX_ROUTES = 8;
const ID = bytes(16);
const WORDS = text(MAX_TEXT);
const VOICE = map({ seconds: integer(0, 86_400), peaks: bytes(0, 64) });

/** Version, id, the second at which it was sent, and its life in seconds once it was read. */
export const COMMON = {
  v: integer(VERSION, VERSION),
  id: ID,
  sent: integer(0),
  timer: optional(integer(1, MAX_TIMER)),
};

export const SHAPES = {
  text: map({ ...COMMON, kind: oneOf("text"), text: WORDS, reply: optional(ID) }),
  attachment: map({
    ...COMMON,
    kind: oneOf("attachment"),
    name: text(MAX_FILE_NAME),
    media: text(100, 0, /^[ -~]*$/),
    size: integer(0),
    digest: bytes(32),
    key: bytes(32),
    chunks: list(ID, MAX_LISTED, 1),
    text: optional(WORDS),
    reply: optional(ID),
    voice: optional(VOICE),
  }),
  /** One's only reaction to a message; an empty one takes it back. */
  reaction: map({ ...COMMON, kind: oneOf("reaction"), target: ID, emoji: text(16) }),
  edit: map({ ...COMMON, kind: oneOf("edit"), target: ID, text: WORDS }),
  delete: map({ ...COMMON, kind: oneOf("delete"), target: ID }),
  receipt: map({
    ...COMMON,
    kind: oneOf("receipt"),
    what: oneOf("delivered", "read"),
    targets: list(ID, MAX_TARGETS, 1),
  }),
  /** From now on messages of this conversation disappear so long after being read; 0: never. */
  timer: map({ ...COMMON, kind: oneOf("timer"), seconds: integer(0, MAX_TIMER) }),
  /** Where this device wants its mail from the peer device. */
  routes: map({ ...COMMON, kind: oneOf("routes"), routes: list(ROUTE, MAX_ROUTES) }),
  /** All that one shows of oneself: what is not there was taken away. `zone` is an IANA name. */
  profile: map({
    ...COMMON,
    kind: oneOf("profile"),
    display: text(MAX_NAME),
    picture: optional(bytes(0, MAX_PICTURE)),
    zone: optional(text(MAX_ZONE, 1, ZONE)),
  }),
  /** Something could not be read: this is a new session, send again what has no receipt. */
  resync: map({ ...COMMON, kind: oneOf("resync") }),
  /** The request is accepted; or just a sign of life that begins a session. */
  hello: map({ ...COMMON, kind: oneOf("hello") }),
  /**
   * The chain by which this device writes to a channel, from an iteration on (senderKey.ts). `info_key` opens the
   * channel's title and topic, where those are sealed.
   */
  sender_key: map({
    ...COMMON,
    kind: oneOf("sender_key"),
    channel: ID,
    generation: integer(0, U32),
    since: integer(1, U32),
    signing: bytes(32),
    iteration: integer(0, MAX_ITERATIONS),
    key: bytes(32),
    roster: map({ number: integer(1, U32), hash: bytes(32) }),
    info_key: optional(bytes(32)),
  }),
  /** These chains of yours stand in a channel's log, and we have no key of them. */
  sender_key_wanted: map({
    ...COMMON,
    kind: oneOf("sender_key_wanted"),
    channel: ID,
    chains: list(ID, MAX_TARGETS, 1),
  }),
};

/** `T` with the keys that may be undefined left out freely. */
export type Loose<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: T[K];
};

/** What a kind of content says. */
export type ContentOf<K extends keyof typeof SHAPES> = Loose<Read<(typeof SHAPES)[K]>>;
export type Text = ContentOf<"text">;
export type Attachment = ContentOf<"attachment">;
export type Reaction = ContentOf<"reaction">;
export type Edit = ContentOf<"edit">;
export type Delete = ContentOf<"delete">;
export type Receipt = ContentOf<"receipt">;
export type Timer = ContentOf<"timer">;
export type Routes = ContentOf<"routes">;
export type Profile = ContentOf<"profile">;
export type Resync = ContentOf<"resync">;
export type Hello = ContentOf<"hello">;
export type SenderKey = ContentOf<"sender_key">;
export type SenderKeyWanted = ContentOf<"sender_key_wanted">;
/** One message's content, told apart by `kind`. */
export type Content =
  | Text
  | Attachment
  | Reaction
  | Edit
  | Delete
  | Receipt
  | Timer
  | Routes
  | Profile
  | Resync
  | Hello
  | SenderKey
  | SenderKeyWanted;

/** The payload of a content; Refusal too_large, or bad_message when nobody could read it. */
export function writeContent(content: Content): Uint8Array {
  const payload = refusing("bad_message", () => encode(content));
  if (payload.length > MAX_OCTETS) throw new Refusal("too_large");
  readContent(payload);
  return payload;
}

/**
 * The content in a payload; Refusal unknown_version for a newer one or a new kind, else bad_message.
 *
 * The name of an attachment comes without whatever could deceive.
 */
export function readContent(payload: Uint8Array): Content {
  return readOne<Content>(payload, SHAPES);
}

/** The same, of these kinds. */
export function readOne<T extends { kind: string }>(
  payload: Uint8Array,
  shapes: Record<T["kind"], Shape<unknown>>,
): T {
  const content = refusing("bad_message", () => {
    const value = decode(payload);
    if (!isMap(value) || !isInteger(value.v) || typeof value.kind !== "string" || value.v < VERSION)
      throw new Refusal("bad_message");
    if (value.v > VERSION || !Object.hasOwn(shapes, value.kind)) throw new Refusal("unknown_version");
    return (shapes as Record<string, Shape<unknown>>)[value.kind]!(value) as Content;
  });
  if (content.kind === "attachment") content.name = cleanFileName(content.name);
  if (content.kind === "profile") checkProfile(content);
  if (content.kind === "reaction" && !isPlain(content.emoji)) throw new Refusal("bad_message");
  return content as { kind: string } as T;
}

function checkProfile({ display, picture }: Profile): void {
  if (!isPlain(display)) throw new Refusal("bad_message");
  if (picture) refusing("bad_message", () => readPicture(picture));
}

const SMALL: ReadonlySet<string> = new Set(["receipt", "reaction", "sender_key", "sender_key_wanted"]);

/** Control messages may travel in the smallest envelopes. */
export function sizeOf(content: Content): "small" | "usual" {
  return SMALL.has(content.kind) ? "small" : "usual";
}
