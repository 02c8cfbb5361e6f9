/** What is said about channels: their names, changes of their roster, states and previews of messages, and who may what. */
import { length } from "../../locales/format.ts";
import { t } from "../../locales/index.ts";
import { RIGHTS } from "../../protocol/membership.ts";
import type {
  Channel,
  ChannelMember,
  ChannelMessage,
  ChannelReaction,
  Role,
} from "../../state/channels/types.ts";
import { follows, lineOf, type Sign } from "../talk/said.ts";

/** Names that stand in one line; more are counted. */
const MOST_NAMES = 12;
const RANK: Record<Role, number> = { member: 1, moderator: 2, owner: 3 };

/** What a channel is called; one whose key has not come yet has no name so far. */
export function titleOf(channel: Pick<Channel, "title">): string {
  return channel.title || t.channels.noTitle;
}

/** Whether this account may do that in a channel that is open. */
export function may(channel: Pick<Channel, "role" | "closed">, right: keyof typeof RIGHTS): boolean {
  return channel.role !== null && !channel.closed && RIGHTS[right].includes(channel.role);
}

/** Whether this account has power over a member: to put them out. */
export function over(channel: Pick<Channel, "role" | "closed">, member: ChannelMember): boolean {
  if (!may(channel, "remove") || member.me) return false;
  return channel.role === "owner" || RANK[member.role] < RANK[channel.role!];
}

/** Roles that this account may give to somebody it lets in. */
export function rolesToGive(channel: Pick<Channel, "role">): Role[] {
  const all: Role[] = ["member", "moderator", "owner"];
  return all.filter((role) => channel.role === "owner" || RANK[role] < RANK[channel.role ?? "member"]);
}

/** Whether a message is somebody's words, not a line about what happened. */
export function isSpoken(message: ChannelMessage): boolean {
  return message.kind !== "change" && message.unreadable !== "before";
}

/** Whether two messages stand close together under one name. */
export function together(earlier: ChannelMessage | undefined, later: ChannelMessage | undefined): boolean {
  return (
    earlier !== undefined &&
    later !== undefined &&
    isSpoken(earlier) &&
    isSpoken(later) &&
    earlier.identity === later.identity &&
    follows(earlier, later)
  );
}

/** What stands in place of a message that cannot be shown; "" when it can. */
export function goneWords(message: ChannelMessage): string {
  if (message.deleted === "moderator") return t.channelState.takenDown;
  if (message.deleted) return message.mine ? t.channelState.deletedMine : t.channelState.deleted;
  if (message.unreadable === "forged") return t.channelState.forged(message.name);
  return message.unreadable ? t.channelState[message.unreadable] : "";
}

/** Where one's own message is; that it was posted is said of the newest only. */
export function stateWords(message: ChannelMessage, newest: boolean): string {
  if (message.state === "failed") {
    const why = message.problem ? t.errors[message.problem] : undefined;
    return why ? `${t.messageState.failed}: ${why}` : t.messageState.failed;
  }
  if (message.state === "sealed") return t.channelState.sealed;
  return message.state === "posted" && newest ? t.channelState.posted : "";
}

/** One line about a message, for lists and answers. */
export function preview(message: ChannelMessage): string {
  if (message.change) return changeWords(message);
  return goneWords(message) || lineOf(message);
}

/** A change of the roster as a sentence. */
export function changeWords({ name, change }: Pick<ChannelMessage, "name" | "change">): string {
  const words = t.rosterChange;
  if (!change) return "";
  switch (change.what) {
    case "add":
      return change.role === "member"
        ? words.add(name, change.whom)
        : words.addAs(name, change.whom, words.roles[change.role]);
    case "role":
      return words.role(name, change.whom, words.roles[change.role]);
    case "remove":
      return words.remove(name, change.whom);
    case "timer":
      return change.seconds > 0 ? words.timerOn(name, length(change.seconds)) : words.timerOff(name);
    case "slow":
      return change.seconds > 0 ? words.slowOn(name, length(change.seconds)) : words.slowOff(name);
    default:
      return t.rosterChange[change.what](name);
  }
}

/** Names in one line, oneself last. */
export function namesOf(names: readonly string[], me = ""): string {
  const all = names.includes(me) ? [...names.filter((name) => name !== me), t.channels.me] : names;
  const shown = all.slice(0, MOST_NAMES).join(", ");
  return all.length > MOST_NAMES ? t.channels.and(shown, all.length - MOST_NAMES) : shown;
}

/** The signs under a message, each with the names of those who gave it. */
export function signsOf(reactions: readonly ChannelReaction[], me: string): Sign[] {
  return reactions.map(({ emoji, names, mine }) => ({
    emoji,
    mine,
    count: names.length,
    words: t.channels.reactedBy(namesOf(names, me)),
  }));
}

/** A text in pieces: mentions of these names, and what is between. */
export function mentioning(text: string, names: readonly string[]): { text: string; name: string }[] {
  const known = names.map((name) => name.replaceAll(".", "\\.")).toSorted((a, b) => b.length - a.length);
  const mention = new RegExp(`(?<![A-Za-z0-9_@.-])(@(?:${known.join("|")}))(?![A-Za-z0-9_@])`, "gi");
  return text.split(mention).map((piece, at) => ({
    text: piece,
    name: at % 2 === 1 ? piece.slice(1).toLowerCase() : "",
  }));
}
