/** What is said about messages and people: states, previews and names, from the values of the engine. */
import { day, length } from "../../locales/format.ts";
import { t } from "../../locales/index.ts";
import { shortAddress } from "../../protocol/onion.ts";
import type { Conversation, Message } from "../../state/messenger/types.ts";
import { follows, lineOf } from "../talk/said.ts";

const HOUR = 3600;

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
  return lineOf(message);
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

/** Whether two messages stand close together under one name. */
export function together(earlier: Message | undefined, later: Message | undefined): boolean {
  return (
    earlier !== undefined &&
    later !== undefined &&
    isSpoken(earlier) &&
    isSpoken(later) &&
    earlier.mine === later.mine &&
    follows(earlier, later)
  );
}
