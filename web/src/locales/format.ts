/** Numbers, sizes and times as a person reads them, in the language of the page. */
import { locale } from "./index.ts";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

/** A count with separators. */
export function count(value: number): string {
  return new Intl.NumberFormat(locale).format(value);
}

/** Octets with a unit: 1,536 → "1.5 kB" (1,024 to the next unit). */
export function octets(value: number): string {
  let unit = 0;
  let shown = value;
  while (shown >= 1000 && unit < UNITS.length - 1) {
    shown /= 1024;
    unit += 1;
  }
  const digits = unit > 0 && shown < 10 ? 1 : 0;
  return new Intl.NumberFormat(locale, {
    style: "unit",
    unit: UNITS[unit]!,
    unitDisplay: unit === 0 ? "long" : "short",
    maximumFractionDigits: digits,
  }).format(shown);
}

/** "in 3 hours", "5 minutes ago", "now": `time` and `now` in Unix seconds. */
export function relative(time: number, now: number): string {
  const words = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const difference = time - now;
  const size = Math.abs(difference);
  if (size < 45) return words.format(0, "second");
  if (size < 45 * MINUTE) return words.format(Math.round(difference / MINUTE), "minute");
  if (size < 22 * HOUR) return words.format(Math.round(difference / HOUR), "hour");
  if (size < 26 * DAY) return words.format(Math.round(difference / DAY), "day");
  return words.format(Math.round(difference / (30 * DAY)), "month");
}

/** A day and time in full, for a tooltip. */
export function moment(time: number): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "short" }).format(time * 1000);
}

/** A day: "28 November". */
export function day(time: number): string {
  return new Intl.DateTimeFormat(locale, { day: "numeric", month: "long" }).format(time * 1000);
}

/** An ISO day (UTC), short for a chart ("28 Nov") or long for a table. */
export function isoDay(iso: string, style: "short" | "long"): string {
  const shape: Intl.DateTimeFormatOptions =
    style === "short"
      ? { day: "numeric", month: "short", timeZone: "UTC" }
      : { weekday: "long", day: "numeric", month: "long", timeZone: "UTC" };
  return new Intl.DateTimeFormat(locale, shape).format(new Date(`${iso}T00:00:00Z`));
}

/** How long something has run: "3 hours". */
export function span(seconds: number): string {
  const [value, unit] =
    seconds < HOUR
      ? [Math.floor(seconds / MINUTE), "minute"]
      : seconds < 2 * DAY
        ? [Math.floor(seconds / HOUR), "hour"]
        : [Math.floor(seconds / DAY), "day"];
  return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long" }).format(value);
}

/** A share as "42%". */
export function percent(part: number): string {
  return new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 }).format(part);
}

/** Pick the plural form of `value` and put the number in place of #. */
export function plural(
  value: number,
  forms: { one: string; other: string } & Record<string, string>,
): string {
  const form = forms[new Intl.PluralRules(locale).select(value)] ?? forms.other;
  return form.replace("#", count(value));
}
