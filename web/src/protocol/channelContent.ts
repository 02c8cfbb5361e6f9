/** What one message of a channel says; one type for each kind, most of them as between two people. */
import { encode } from "./cbor.ts";
import { MAX_PAYLOAD } from "./channelMessage.ts";
import { COMMON, SHAPES as BETWEEN_TWO, readOne, type Loose } from "./content.ts";
import type { Member, State } from "./membership.ts";
import { Refusal, refusing } from "./refusal.ts";
import { bytes, flag, map, oneOf, optional, text, type Read } from "./shape.ts";

/** Code points. */
export const MAX_TEXT = 16_000;
const MAX_MENTIONS = 64;
const ID = bytes(16);
const WORDS = text(MAX_TEXT);

const SHAPES = {
  /** Words, perhaps in reply to a message; whoever stands in them as @name is mentioned. */
  text: map({ ...COMMON, kind: oneOf("text"), text: WORDS, reply: optional(ID) }),
  attachment: BETWEEN_TWO.attachment,
  reaction: BETWEEN_TWO.reaction,
  edit: map({ ...COMMON, kind: oneOf("edit"), target: ID, text: WORDS }),
  delete: BETWEEN_TWO.delete,
  /** A message is to be found easily from now on, or no more; counts from moderators and owners. */
  pin: map({ ...COMMON, kind: oneOf("pin"), target: ID, on: flag }),
};

type Kind = keyof typeof SHAPES;
/** What a kind of content says in a channel. */
export type ChannelContentOf<K extends Kind> = Loose<Read<(typeof SHAPES)[K]>>;
/** One message's content, told apart by `kind`. */
export type ChannelContent = { [K in Kind]: ChannelContentOf<K> }[Kind];

const MENTION = /(?<![A-Za-z0-9_@.-])@([A-Za-z0-9](?:[A-Za-z0-9._-]{0,30}[A-Za-z0-9])?)(?![A-Za-z0-9_@])/g;

/** The payload of a content; Refusal too_large, or bad_message when nobody could read it. */
export function writeChannelContent(content: ChannelContent): Uint8Array {
  const payload = refusing("bad_message", () => encode(content));
  if (payload.length > MAX_PAYLOAD) throw new Refusal("too_large");
  readChannelContent(payload);
  return payload;
}

/** The content in a payload; Refusal unknown_version for a newer one or a new kind, else bad_message. */
export function readChannelContent(payload: Uint8Array): ChannelContent {
  return readOne<ChannelContent>(payload, SHAPES);
}

/** The members whom these words mention as @name, in the order in which they do; at most 64. */
export function mentions(words: string, state: State): Member[] {
  const named = new Set([...words.matchAll(MENTION)].map((found) => found[1]!.toLowerCase()));
  const members = [...state.members.values()];
  return [...named]
    .flatMap((name) => members.filter((member) => member.name === name))
    .slice(0, MAX_MENTIONS);
}
