/** Numbers, sizes and times as a person reads them, in the language of the page and the zone that is chosen. */
import { locale } from "./index.ts";
import { isZone, zone } from "./zone.svelte.ts";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

/** Making a formatter costs a hundred times what using it does. */
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(shape: Intl.DateTimeFormatOptions, language = locale): Intl.DateTimeFormat {
  // Whoever travels has other hours from then on.
  const key = JSON.stringify([language, zone.name ?? new Date().getTimezoneOffset(), shape]);
  let format = formats.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat(language, zone.name ? { timeZone: zone.name, ...shape } : shape);
    formats.set(key, format);
  }
  return format;
}

function dated(shape: Intl.DateTimeFormatOptions, milliseconds: number): string {
  return formatOf(shape).format(milliseconds);
}

/** What calendar and clock on the wall show, as if that were a moment in UTC. */
function wall(seconds: number): Date {
  const date = { year: "numeric", month: "numeric", day: "numeric" } as const;
  const clock = { hour: "numeric", minute: "numeric", second: "numeric", hourCycle: "h23" } as const;
  const parts = formatOf({ ...date, ...clock }, "en-US").formatToParts(seconds * 1000);
  const part = (type: string): number => Number(parts.find((one) => one.type === type)!.value);
  const [hour, minute, second] = [part("hour"), part("minute"), part("second")];
  return new Date(Date.UTC(part("year"), part("month") - 1, part("day"), hour, minute, second));
}

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

/** The same of something of which only the hour is known (since 1970): "this hour", "1 hour ago". */
export function relativeHour(hour: number, now: number): string {
  const difference = hour - Math.floor(now / HOUR);
  if (Math.abs(difference) >= 22) return relative(hour * HOUR, now);
  return new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(difference, "hour");
}

/** A day and time in full, for a tooltip. */
export function moment(time: number): string {
  return dated({ dateStyle: "full", timeStyle: "short" }, time * 1000);
}

/** A day: "28 November". */
export function day(time: number): string {
  return dated({ day: "numeric", month: "long" }, time * 1000);
}

/** An ISO day (UTC), short for a chart ("28 Nov") or long for a table. */
export function isoDay(iso: string, style: "short" | "long"): string {
  const shape: Intl.DateTimeFormatOptions =
    style === "short"
      ? { day: "numeric", month: "short", timeZone: "UTC" }
      : { weekday: "long", day: "numeric", month: "long", timeZone: "UTC" };
  return dated(shape, Date.parse(`${iso}T00:00:00Z`));
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

/** The time of day: "14:05". */
export function time(seconds: number): string {
  return dated({ hour: "2-digit", minute: "2-digit" }, seconds * 1000);
}

/** The time of day in another zone; undefined where nobody knows that zone, or its clocks show the same as ours. */
export function timeIn(timeZone: string, seconds: number): string | undefined {
  if (!isZone(timeZone)) return undefined;
  const whole = { dateStyle: "short", timeStyle: "short" } as const;
  const milliseconds = seconds * 1000;
  if (dated(whole, milliseconds) === dated({ ...whole, timeZone }, milliseconds)) return undefined;
  return dated({ hour: "2-digit", minute: "2-digit", timeZone }, milliseconds);
}

/** When something was, as short as a list needs it: "14:05", "Tuesday", "3 Nov". */
export function brief(seconds: number, now: number): string {
  const days = daysBetween(seconds, now);
  if (days <= 0) return time(seconds);
  const shape: Intl.DateTimeFormatOptions =
    days < 7
      ? { weekday: "short" }
      : days < 300
        ? { day: "numeric", month: "short" }
        : { day: "numeric", month: "short", year: "numeric" };
  return dated(shape, seconds * 1000);
}

/** A day as a heading: the weekday with it, the year only when it is another. */
export function dayHeading(seconds: number, now: number): string {
  const other = wall(seconds).getUTCFullYear() !== wall(now).getUTCFullYear();
  const shape: Intl.DateTimeFormatOptions = { weekday: "long", day: "numeric", month: "long" };
  return dated(other ? { ...shape, year: "numeric" } : shape, seconds * 1000);
}

/** How many midnights lie between two moments. */
export function daysBetween(earlier: number, later: number): number {
  const day = (seconds: number): number => Math.floor(wall(seconds).getTime() / (DAY * 1000));
  return day(later) - day(earlier);
}

/** The day at a moment, as a date field has it. */
export function dateOf(seconds: number): string {
  return wall(seconds).toISOString().slice(0, 10);
}

/** The last second of a day as a date field has it; NaN when it is none. */
export function endOfDate(date: string): number {
  const midnight = Date.parse(`${date}T00:00:00Z`) / 1000 + DAY;
  if (Number.isNaN(midnight)) return NaN;
  const ahead = (at: number): number => wall(at).getTime() / 1000 - at;
  // The second look is for a zone whose clocks were set between that midnight in UTC and its own.
  return midnight - ahead(midnight - ahead(midnight)) - 1;
}

/** A length as on a clock: "1:05". */
export function minutes(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** A length in its largest whole unit: "5 minutes", "1 week". */
export function length(seconds: number): string {
  const [size, unit] = (
    [
      [7 * DAY, "week"],
      [DAY, "day"],
      [HOUR, "hour"],
      [MINUTE, "minute"],
      [1, "second"],
    ] as const
  ).find(([one]) => seconds % one === 0)!;
  return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long" }).format(seconds / size);
}
