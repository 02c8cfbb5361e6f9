/**
 * What a device was told of us and has not acknowledged: our mailboxes and name, and that it was accepted.
 *
 * It is told again until its receipt comes: not while what was sent is still under way, after pauses that grow, and
 * so many times at most. What has changed, or is asked for by its `hello` or `resync`, is told at once.
 */
import { equal, toHex } from "../../protocol/bytes.ts";
import type { SessionRecord, Tell } from "./records.ts";

/** Seconds after the first time, the second, …; the last one from then on. */
const PAUSES = [600, 2_400, 9_600, 38_400, 86_400];
/** Times that something is told; some five days. */
const MOST = 8;

/** What of this kind is not acknowledged. */
export function find(record: SessionRecord, what: Tell["what"]): Tell | undefined {
  return record.tells?.find((tell) => tell.what === what);
}

/** Whether it is time to tell it again; `underway` says it of a dispatch (hex). */
export function isDue(tell: Tell, now: number, underway: (dispatch: string) => boolean): boolean {
  if (tell.tries >= MOST || tell.dispatches.some((one) => underway(toHex(one)))) return false;
  const since = now - tell.at;
  return since < 0 || since >= PAUSES[Math.min(tell.tries, PAUSES.length) - 1]!;
}

/** The record once something was told, for the first time or again. */
export function told(record: SessionRecord, tell: Omit<Tell, "tries">): SessionRecord {
  const before = find(record, tell.what);
  const tries = before && equal(before.digest, tell.digest) ? before.tries : 0;
  const others = (record.tells ?? []).filter((one) => one.what !== tell.what);
  return { ...record, tells: [...others, { ...tell, tries: tries + 1 }] };
}

/** The record once the device has received these contents (hex). */
export function acknowledged(record: SessionRecord, ids: ReadonlySet<string>): SessionRecord {
  let known = record.told;
  const left: Tell[] = [];
  for (const tell of record.tells ?? []) {
    const missing = tell.ids.filter((id) => !ids.has(toHex(id)));
    if (missing.length > 0) left.push({ ...tell, ids: missing });
    else if (tell.what === "routes") known = tell.digest;
  }
  return { ...record, told: known, tells: left };
}

/** The record of a device that was not there: what it was told goes out once more, at once and as one more time. */
export function bounced(record: SessionRecord): SessionRecord {
  return { ...record, tells: (record.tells ?? []).map((one) => ({ ...one, at: 0, dispatches: [] })) };
}

/** The record of a device that may know nothing of us any more. */
export function forgotten(record: SessionRecord): SessionRecord {
  const hello = (record.tells ?? []).filter((one) => one.what === "hello");
  return {
    ...record,
    told: new Uint8Array(),
    tells: hello.map((one) => ({ ...one, at: 0, tries: 0 })),
  };
}
