/**
 * Which messages count as unread: a rule in which no clock of ours has a part.
 *
 * Several devices take the same message in, each at its own time, and any of them may mark it as read. So the talk
 * record remembers which messages were taken in lately, and the latest `sent` (the sender's word, the same on every
 * device) among those it had to forget:
 *
 * | a message that is                                  | is                                        |
 * |----------------------------------------------------|-------------------------------------------|
 * | remembered                                         | taken in                                  |
 * | not remembered, sent later than all forgotten ones | new                                       |
 * | not remembered, sent no later than one of them     | taken in if the log has it, else new      |
 *
 * Whoever takes a message in first counts it as unread, in the change that logs it; nobody else does. A device that
 * has seen too little of what the others took in meanwhile (`follows`) looks again before it saves anything.
 */
import { concat, equal } from "../../protocol/bytes.ts";
import type { TalkRecord } from "./records.ts";

/** Messages that are remembered, the newest; twice what one step takes in. */
export const MAX_TAKEN = 128;
const TAG = 8;
const ENTRY = TAG + 8;

const NONE = new Uint8Array();

/** Whether it is remembered that some device has taken this message in. */
export function wasTaken({ taken = NONE }: TalkRecord, id: Uint8Array): boolean {
  const tag = id.subarray(0, TAG);
  for (let at = 0; at < taken.length; at += ENTRY) if (equal(taken.subarray(at, at + TAG), tag)) return true;
  return false;
}

/** Whether only the log can say if some device has taken this message in. */
export function needsLog(talk: TalkRecord, id: Uint8Array, sent: number): boolean {
  return !wasTaken(talk, id) && sent <= (talk.forgotten ?? 0);
}

/** Whether everything that was taken in since `before` is remembered `now`. */
export function follows({ taken = NONE }: TalkRecord, now: TalkRecord): boolean {
  if (taken.length === 0) return (now.taken ?? NONE).length < MAX_TAKEN * ENTRY;
  return wasTaken(now, taken.subarray(taken.length - ENTRY));
}

/** The talk once a message is taken in that the log, if it had to be asked, does not have. */
export function take(talk: TalkRecord, id: Uint8Array, sent: number): TalkRecord {
  if (wasTaken(talk, id)) return talk;
  const entry = new Uint8Array(ENTRY);
  entry.set(id.subarray(0, TAG));
  new DataView(entry.buffer).setBigUint64(TAG, BigInt(sent));
  const all = concat(talk.taken ?? NONE, entry);
  const taken = all.slice(-MAX_TAKEN * ENTRY);
  const gone =
    all.length > taken.length ? Number(new DataView(all.buffer, all.byteOffset).getBigUint64(TAG)) : 0;
  return { ...talk, fresh: [...talk.fresh, id], taken, forgotten: Math.max(talk.forgotten ?? 0, gone) };
}

/** The talk once these messages were seen. */
export function read(talk: TalkRecord, ids: readonly Uint8Array[]): TalkRecord {
  return { ...talk, fresh: talk.fresh.filter((id) => !ids.some((one) => equal(one, id))) };
}
