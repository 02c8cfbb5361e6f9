/** A short time as a person reads it: "0.4 ms", "12 ms", "1.5 s". */
import { locale } from "../../../locales/index.ts";

export function lasting(microseconds: number): string {
  const long = microseconds >= 1_000_000;
  const value = microseconds / (long ? 1_000_000 : 1_000);
  return new Intl.NumberFormat(locale, {
    style: "unit",
    unit: long ? "second" : "millisecond",
    unitDisplay: "short",
    maximumFractionDigits: value < 10 ? 1 : 0,
  }).format(value);
}
