/**
 * The roster: who is in a channel and how it is set, as a hash chain of entries its members sign.
 *
 * The box that keeps the channel and every client run `apply` (membership.ts) over the same entries and come to the
 * same state, so that the box can add nobody and take nobody's rights: it can only withhold what comes last.
 */
import { decode, type Value } from "./cbor.ts";
import { hash } from "./keys.ts";
import { verifyAll } from "./manySignatures.ts";
import { NAME, isPlain } from "./names.ts";
import { Refusal, refusing } from "./refusal.ts";
import { bytes, flag, integer, isInteger, isMap, map, oneOf, text, type Read, type Shape } from "./shape.ts";
import * as signed from "./signed.ts";

export const VERSION = 1;
export const MAX_TITLE = 64;
export const MAX_TOPIC = 500;
/** Octets of a sealed title and topic. */
export const MAX_SEALED = 3072;
export const MAX_TIMER = 31_536_000;
export const MAX_SLOW = 86_400;

const CONTEXT = "roster";
const U32 = 0xffff_ffff;

export const ROLES = ["owner", "moderator", "member"] as const;
/** A member's role in one channel; it says nothing of their role at the box. */
export type Role = (typeof ROLES)[number];
export const ROLE = oneOf(...ROLES);
export const NUMBER = integer(1, U32);
export const HOUR = integer(0, U32);
export const TIMER = integer(0, MAX_TIMER);
export const SLOW = integer(0, MAX_SLOW);

const INFO_MAP = map({ title: text(MAX_TITLE, 1), topic: text(MAX_TOPIC) });
/** What a channel is called, and what it is about; each one line. */
export type Info = Read<typeof INFO_MAP>;
const SEALED = bytes(48, MAX_SEALED);

/** In the clear in public channels, sealed in private ones (channelInfo.ts). */
export const INFO: Shape<Info | Uint8Array> = (value) =>
  value instanceof Uint8Array ? SEALED(value) : readInfo(value);

const KEY = bytes(32);
const CHANGES = {
  /** The first entry: whoever signs it is the owner, under this name at this box. */
  create: map({
    kind: oneOf("create"),
    public: flag,
    name: NAME,
    onion: KEY,
    info: INFO,
    timer: TIMER,
    slow: SLOW,
  }),
  add: map({ kind: oneOf("add"), name: NAME, onion: KEY, identity: KEY, role: ROLE }),
  /** Whoever signs becomes a member of a public channel. */
  join: map({ kind: oneOf("join"), name: NAME, onion: KEY }),
  /** A member is put out, and cannot join again by themselves. */
  remove: map({ kind: oneOf("remove"), identity: KEY }),
  leave: map({ kind: oneOf("leave") }),
  role: map({ kind: oneOf("role"), identity: KEY, role: ROLE }),
  info: map({ kind: oneOf("info"), info: INFO }),
  /** Messages posted from now on disappear after so many seconds; 0: never. */
  timer: map({ kind: oneOf("timer"), seconds: TIMER }),
  /** A member (no moderator, no owner) waits so many seconds between two messages. */
  slow: map({ kind: oneOf("slow"), seconds: SLOW }),
  /** Nothing is posted any more; what was said stays to be read. */
  close: map({ kind: oneOf("close") }),
};

export type Kind = keyof typeof CHANGES;
export type ChangeOf<K extends Kind> = Read<(typeof CHANGES)[K]>;
export type Change = { [K in Kind]: ChangeOf<K> }[Kind];

const CHANGE: Shape<Change> = (value) => {
  const kind = kindOf(value);
  if (kind === undefined || !Object.hasOwn(CHANGES, kind)) throw new Refusal("malformed");
  return CHANGES[kind as Kind](value);
};

const ENTRY = map({
  version: integer(VERSION, VERSION),
  channel: bytes(16),
  number: NUMBER,
  previous: KEY,
  hour: HOUR,
  actor: KEY,
  change: CHANGE,
});

/**
 * One change. Signed by `actor`, the account identity of whoever makes it.
 *
 * `previous` is the hash of the signed entry before (32 zeros for the first): so it names all before it.
 */
export type Entry = Read<typeof ENTRY>;

/** An entry whose signature was verified, and its hash. */
export interface Link {
  readonly entry: Entry;
  readonly hash: Uint8Array;
}

/** The entry as it travels; Refusal bad_roster when no reader would take it. */
export function sign(identitySeed: Uint8Array, entry: Entry): Uint8Array<ArrayBuffer> {
  refusing("bad_roster", () => ENTRY(entry as unknown as Value));
  const whole = signed.write(identitySeed, CONTEXT, entry);
  if (whole.length > signed.MAX_SIGNED) throw new Refusal("bad_roster");
  return whole;
}

/** The entry in these bytes, signed by its actor; Refusal bad_roster, or unknown_version. */
export function read(data: Uint8Array): Link {
  assertKnown(data);
  const entry = signed.read(data, CONTEXT, ENTRY, (value) => value.actor, "bad_roster");
  return { entry, hash: hash(data) };
}

/** The same for many entries, their signatures verified by the browser itself where it can: far less work. */
export async function readAll(all: readonly Uint8Array[]): Promise<Link[]> {
  const links: Link[] = [];
  const claims = all.map((data) => {
    assertKnown(data);
    const { value: entry, ...claim } = signed.claim(data, CONTEXT, ENTRY, (one) => one.actor, "bad_roster");
    links.push({ entry, hash: hash(data) });
    return claim;
  });
  if ((await verifyAll(claims)).includes(false)) throw new Refusal("bad_roster");
  return links;
}

/** A kind of change that is not known is of a newer version: whoever meets one can go no further. */
function assertKnown(data: Uint8Array): void {
  refusing("bad_roster", () => {
    if (data.length > signed.MAX_SIGNED) throw new Refusal("bad_roster");
    const value = decode(data.subarray(64));
    if (!isMap(value) || !isInteger(value.version) || value.version !== VERSION) return;
    const kind = kindOf(value.change);
    if (kind !== undefined && !Object.hasOwn(CHANGES, kind)) throw new Refusal("unknown_version");
  });
}

function kindOf(change: Value | undefined): string | undefined {
  return isMap(change) && typeof change.kind === "string" ? change.kind : undefined;
}

function readInfo(value: Value | undefined): Info {
  const info = INFO_MAP(value);
  if (!isPlainInfo(info)) throw new Refusal("malformed");
  return info;
}

/** Whether nothing invisible in title or topic could deceive. */
export function isPlainInfo({ title, topic }: Info): boolean {
  return isPlain(title) && isPlain(topic, MAX_TOPIC);
}

/** Title and topic as decoded CBOR has them; Refusal malformed. */
export const readPlainInfo: Shape<Info> = readInfo;
