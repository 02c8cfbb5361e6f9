/**
 * Several dispatches that are one message: an attachment's message, and its chunks that follow in parts.
 *
 * The ids of the parts begin alike, by the message's id, which our box does not know: so what it tells of them is
 * found after a restart, though nothing of it was written down.
 */
import { concat, toHex, utf8 } from "../../protocol/bytes.ts";
import { hash } from "../../protocol/keys.ts";
import type { DispatchState, Leg } from "../../protocol/post.ts";
import { random } from "../random.ts";

const MARK = 8;
const WORST_FIRST: readonly Leg["state"][] = ["given_up", "waiting", "partly", "relay", "box"];

/** How the ids of the dispatches with a message's chunks begin. */
export function markOf(message: Uint8Array): Uint8Array {
  return hash(utf8("island/v1/chunks\0"), message).slice(0, MARK);
}

/** A fresh id for a dispatch with chunks of a message. */
export function partId(message: Uint8Array): Uint8Array {
  return concat(markOf(message), random(16 - MARK));
}

/** The mark in a dispatch's id, in hex. */
export function markIn(dispatch: Uint8Array): string {
  return toHex(dispatch.subarray(0, MARK));
}

/** How it stands with all of them: each destination is as far as the last of its envelopes. */
export function together(states: readonly DispatchState[]): DispatchState | undefined {
  if (states.length === 0) return undefined;
  const worst = new Map<string, Leg>();
  for (const leg of states.flatMap(({ legs }) => legs)) {
    const key = toHex(leg.handle);
    const known = worst.get(key);
    if (!known || WORST_FIRST.indexOf(leg.state) < WORST_FIRST.indexOf(known.state)) worst.set(key, leg);
  }
  return { id: states[0]!.id, legs: [...worst.values()] };
}
