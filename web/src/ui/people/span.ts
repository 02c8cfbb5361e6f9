/** How long a suspension or ban lasts, as it is chosen, and the second at which it ends. */
import { MODERATOR_DAYS } from "../../state/account/rights.ts";

export const SPANS = ["1", "7", "30", "date", "never"] as const;
export type Span = (typeof SPANS)[number];

const DAY = 86_400;

/** The end that was chosen: 0 for none; "bad" for a day that is over, "far" for one that a moderator may not choose. */
export function endOf(span: Span, date: string, now: number, endless: boolean): number | "bad" | "far" {
  if (span === "never") return 0;
  // A clock that is a little behind the box's must not make thirty days too many.
  if (span !== "date") return Math.floor(now) + Number(span) * DAY - (span === "30" ? 600 : 0);
  const [year, month, day] = date.split("-").map(Number);
  if (!year || !month || !day) return "bad";
  const end = Math.floor(new Date(year, month - 1, day, 23, 59, 59).getTime() / 1000);
  if (end <= now) return "bad";
  return !endless && end > now + MODERATOR_DAYS * DAY ? "far" : end;
}

/** A day of this machine's calendar, so many days from now, as a date field has it. */
export function isoDayIn(days: number, now: number): string {
  const day = new Date((now + days * DAY) * 1000);
  return [day.getFullYear(), day.getMonth() + 1, day.getDate()]
    .map((part) => String(part).padStart(2, "0"))
    .join("-");
}
