/** Refusals that carry details, as sentences that say them: until when, how much is missing, how long to wait. */
import { count, length, moment } from "./format.ts";
import { t } from "./index.ts";

type Details = Readonly<Record<string, unknown>>;

const second = (value: unknown): string => (typeof value === "number" && value > 0 ? moment(value) : "");

/** The sentence of a refusal from its details; undefined where the code alone says everything. */
export function inDetail(code: string, details: Details): string | undefined {
  const { until, reason, needed, have, seconds, words } = details;
  const said = typeof reason === "string" ? reason : typeof words === "string" ? words : "";
  const when = second(until);
  switch (code) {
    case "suspended":
      return [
        when ? t.refusals.suspendedUntil(when) : t.errors["suspended"],
        ...(said ? [t.refusals.reason(said)] : []),
      ].join(" ");
    case "banned":
      return when ? t.refusals.bannedUntil(when) : undefined;
    case "second_eyes":
      return when ? t.refusals.waits(when) : undefined;
    case "karma":
      return typeof needed === "number" && typeof have === "number"
        ? t.refusals.karma(count(needed), count(have))
        : undefined;
    case "too_fast":
    case "slow_mode":
      return typeof seconds === "number" && seconds > 0
        ? t.refusals.wait(length(Math.ceil(seconds)))
        : undefined;
  }
  return undefined;
}
