/**
 * What disappears, and when: as much as must be known of it while the log is not read.
 *
 * The talk record has the second at which the next message disappears, and for each device the first stretch of its
 * log in which there may be one. So nothing of the log is read before something is due, and then no more than the
 * stretches that hold what is timed. The box learns none of this.
 */
import type { LogEvent, TalkRecord } from "./records.ts";

/** Seconds after which it is looked again when something else happened while messages were taken out. */
export const AGAIN = 600;

/** The earlier second; 0 is none. */
export function sooner(one: number, other: number): number {
  return one && other ? Math.min(one, other) : one || other;
}

/** The seconds after which a logged message disappears once they run; 0: never. */
export function lifeOf(event: LogEvent): number {
  if (event.k !== "m" || event.c.kind === "timer") return 0;
  return (event.c as { timer?: number }).timer ?? 0;
}

/** The talk once these events stand in a stretch of a device's log. Mine run from when they were sent. */
export function noted(
  talk: TalkRecord,
  device: string,
  number: number,
  events: readonly LogEvent[],
): TalkRecord {
  const lives = events.filter((event) => lifeOf(event) > 0);
  if (lives.length === 0) return talk;
  let expires = talk.expires ?? 0;
  for (const event of lives)
    if (event.k === "m" && event.by === 0)
      expires = sooner(expires, Math.floor(event.at / 1000) + lifeOf(event));
  const first = Math.min(number, talk.timed?.[device] ?? number);
  return { ...talk, expires, timed: { ...talk.timed, [device]: first } };
}

/** The talk once messages with these lives were read. */
export function started(talk: TalkRecord, lives: readonly number[], now: number): TalkRecord {
  const first = lives.filter((life) => life > 0).reduce(sooner, 0);
  return first > 0 ? { ...talk, expires: sooner(talk.expires ?? 0, now + first) } : talk;
}
