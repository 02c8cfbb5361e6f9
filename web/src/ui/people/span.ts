/** How long a suspension or ban lasts, as it is chosen, and the second at which it ends. */
import { dateOf, endOfDate } from "../../locales/format.ts";
import { MODERATOR_DAYS } from "../../state/account/rights.ts";

export const SPANS = ["1", "7", "30", "date", "never"] as const;
export type Span = (typeof SPANS)[number];

const DAY = 86_400;

/** The end that was chosen: 0 for none; "bad" for a day that is over, "far" for one that a moderator may not choose. */
export function endOf(span: Span, date: string, now: number, endless: boolean): number | "bad" | "far" {
  if (span === "never") return 0;
  // A clock that is a little behind the box's must not make thirty days too many.
  if (span !== "date") return Math.floor(now) + Number(span) * DAY - (span === "30" ? 600 : 0);
  const end = endOfDate(date);
  if (!(end > now)) return "bad";
  return !endless && end > now + MODERATOR_DAYS * DAY ? "far" : end;
}

/** The day that is so many days from now, as a date field has it. */
export function isoDayIn(days: number, now: number): string {
  return dateOf(now + days * DAY);
}
