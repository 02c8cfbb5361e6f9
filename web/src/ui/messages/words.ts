/** What is said about messages and people: states, previews and names, from the values of the engine. */
import { day, daysBetween, dayHeading, length } from "../../locales/format.ts";
import { t } from "../../locales/index.ts";
import { shortAddress } from "../../protocol/onion.ts";
import type { Conversation, Message } from "../../state/messenger/types.ts";

const HOUR = 3600;
/** Messages of one person within this many seconds stand together. */
const TOGETHER = 5 * 60;

/** The name to call somebody by. */
export function nameOf(person: Pick<Conversation, "display" | "name" | "address">): string {
  return person.display || person.name || person.address;
}

/** Their address with the long part shortened. */
export function shortOf(address: string): string {
  const [name, onion = ""] = address.split("@");
  return `${name}@${shortAddress(onion)}`;
}

/** Where one's own message is, in words. */
export function stateWords(message: Message): string {
  switch (message.state) {
    case "relay":
      return message.until === null
        ? t.messageState.relay
        : t.messageState.relayUntil(day(message.until * HOUR));
    case "failed": {
      const why = message.problem ? t.errors[message.problem] : undefined;
      return why ? `${t.messageState.failed}: ${why}` : t.messageState.failed;
    }
    case "":
      return "";
    default:
      return t.messageState[message.state];
  }
}

/** One line about a message, for lists and answers. */
export function preview(message: Message): string {
  if (message.deleted) return t.messages.deleted;
  if (message.unreadable) return t.messageState[message.unreadable];
  if (message.kind === "timer" || message.kind === "notice") return noticeWords(message);
  if (!message.attachment) return message.text.replace(/\s+/g, " ");
  const { voice, media, name } = message.attachment;
  const what = voice
    ? t.messages.voice
    : media.startsWith("image/")
      ? t.messages.photo
      : t.messages.file(name);
  return message.text ? `${what}: ${message.text}` : what;
}

/** What happened, for messages that only say that. */
export function noticeWords(message: Message): string {
  if (message.kind === "timer")
    return message.timer > 0 ? t.notice.timerOn(length(message.timer)) : t.notice.timerOff;
  return message.notice ? t.notice[message.notice] : "";
}

/** Whether a message is a bubble of somebody, not a line about what happened. */
export function isSpoken(message: Message): boolean {
  return message.kind !== "timer" && message.kind !== "notice" && message.unreadable !== "asked";
}

/** Whether a day begins between two messages. */
export function newDay(earlier: Message | undefined, later: Message): boolean {
  return !earlier || daysBetween(earlier.sent, later.sent) !== 0;
}

/** Whether two messages stand close together under one name. */
export function together(earlier: Message | undefined, later: Message | undefined): boolean {
  return (
    earlier !== undefined &&
    later !== undefined &&
    isSpoken(earlier) &&
    isSpoken(later) &&
    earlier.mine === later.mine &&
    later.sent - earlier.sent < TOGETHER &&
    !newDay(earlier, later)
  );
}

/** A day as a heading, with words for the last two. */
export function dayWords(seconds: number, now: number): string {
  const ago = daysBetween(seconds, now);
  if (ago <= 0) return t.messages.today;
  return ago === 1 ? t.messages.yesterday : dayHeading(seconds, now);
}
