import { expect, test } from "vitest";
import {
  count,
  day,
  isoDay,
  octets,
  plural,
  relative,
  relativeHour,
  span,
} from "../../src/locales/format.ts";

const NOW = 1_795_000_000;

test.each([
  [0, "0 bytes"],
  [1, "1 byte"],
  [999, "999 bytes"],
  [1536, "1.5 kB"],
  [1024 * 1024, "1 MB"],
  [71 * 1024 ** 3, "71 GB"],
])("%d octets are %s", (value, text) => {
  expect(octets(value)).toBe(text);
});

test.each([
  [0, "now"],
  [-60, "1 minute ago"],
  [3 * 3600, "in 3 hours"],
  [-86_400, "yesterday"],
  [7 * 86_400, "in 7 days"],
  [365 * 86_400, "in 12 months"],
])("%d seconds from now are “%s”", (difference, text) => {
  expect(relative(NOW + difference, NOW)).toBe(text);
});

test.each([
  [0, "this hour"],
  [-1, "1 hour ago"],
  [1, "in 1 hour"],
  [-24, "yesterday"],
])("%d hours from this one are “%s”", (difference, text) => {
  expect(relativeHour(Math.floor(NOW / 3600) + difference, NOW)).toBe(text);
});

test("plurals carry the number", () => {
  const forms = { one: "# item", other: "# items" };
  expect([0, 1, 2, 1000].map((n) => plural(n, forms))).toEqual([
    "0 items",
    "1 item",
    "2 items",
    "1,000 items",
  ]);
});

test("days read like the box's own sentences", () => {
  expect(day(Date.UTC(2026, 10, 28, 12) / 1000)).toBe("28 November");
  expect(isoDay("2026-11-28", "short")).toBe("28 Nov");
  expect(isoDay("2026-11-28", "long")).toBe("Saturday 28 November");
});

test("spans and counts", () => {
  expect(span(3 * 3600 + 100)).toBe("3 hours");
  expect(span(59)).toBe("0 minutes");
  expect(span(3 * 86_400)).toBe("3 days");
  expect(count(1_234_567)).toBe("1,234,567");
});
