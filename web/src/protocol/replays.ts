/**
 * Headers that came before, eight octets of each, the newest last.
 *
 * A message whose number was used before is either one that came already, perhaps with another body, or another
 * one: its sender was set back and uses a chain again. Only the two ends can seal a header, and each has a nonce
 * of its own; so a header that came before tells of a replay, and one that did not of a sender that was set back.
 */
import { concat, equal } from "./bytes.ts";
import { hash } from "./keys.ts";
import { HEADER_SIZE } from "./ratchet.ts";

/** Headers of one device that are remembered; a replay of an older one is asked for again. */
const MAX_SEEN = 128;
const TAG = 8;

/** The headers seen, with the one of this message (header ‖ …) as the newest. */
export function note(seen: Uint8Array, message: Uint8Array): Uint8Array {
  return concat(seen, tagOf(message)).slice(-MAX_SEEN * TAG);
}

/** Whether a message with this very header came before. */
export function wasSeen(seen: Uint8Array, message: Uint8Array): boolean {
  const tag = tagOf(message);
  for (let at = 0; at < seen.length; at += TAG) if (equal(seen.subarray(at, at + TAG), tag)) return true;
  return false;
}

function tagOf(message: Uint8Array): Uint8Array {
  return hash(message.subarray(0, HEADER_SIZE)).slice(0, TAG);
}
