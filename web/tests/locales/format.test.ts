import { afterEach, describe, expect, test } from "vitest";
import {
  brief,
  count,
  dateOf,
  day,
  dayHeading,
  daysBetween,
  endOfDate,
  isoDay,
  moment,
  octets,
  plural,
  relative,
  relativeHour,
  span,
  time,
  timeIn,
} from "../../src/locales/format.ts";
import { zone } from "../../src/locales/zone.svelte.ts";

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

describe("in a zone that was chosen", () => {
  /** 31 December 2026, 15:30 UTC: half past midnight in Tokyo, in another year. */
  const EVE = Date.UTC(2026, 11, 31, 15, 30) / 1000;
  afterEach(() => zone.use(""));

  test("times, days and years are those of its calendar", () => {
    zone.use("UTC");
    expect([time(EVE), brief(EVE, EVE), day(EVE)]).toEqual(["15:30", "15:30", "31 December"]);
    zone.use("Asia/Tokyo");
    expect([time(EVE), brief(EVE, EVE), day(EVE)]).toEqual(["00:30", "00:30", "1 January"]);
    expect(dayHeading(EVE, EVE)).toBe("Friday 1 January");
    expect(dayHeading(EVE - 3600, EVE)).toMatch(/^Thursday,? 31 December 2026$/);
    expect(moment(EVE)).toMatch(/^Friday,? 1 January 2027 at 00:30$/);
  });

  test("midnights are its own", () => {
    zone.use("UTC");
    expect(daysBetween(EVE - 3600, EVE)).toBe(0);
    zone.use("Asia/Tokyo");
    expect(daysBetween(EVE - 3600, EVE)).toBe(1);
    zone.use("America/New_York");
    expect(daysBetween(EVE - 3600, EVE)).toBe(0);
  });

  test.each([
    ["UTC", "2026-12-31", "2026-12-31T23:59:59Z"],
    ["Asia/Tokyo", "2026-12-31", "2026-12-31T14:59:59Z"],
    ["Asia/Kolkata", "2026-12-31", "2026-12-31T18:29:59Z"],
    ["Pacific/Auckland", "2026-12-31", "2026-12-31T10:59:59Z"],
    // The night in which clocks are set back, and the one in which they are set forward.
    ["Europe/Berlin", "2026-10-25", "2026-10-25T22:59:59Z"],
    ["America/New_York", "2026-03-08", "2026-03-09T03:59:59Z"],
    ["America/New_York", "2026-11-01", "2026-11-02T04:59:59Z"],
  ])("a day of %s, %s, ends at %s", (name, date, end) => {
    zone.use(name);
    expect(new Date(endOfDate(date) * 1000).toISOString()).toBe(end.replace("Z", ".000Z"));
    expect(dateOf(endOfDate(date))).toBe(date);
    expect(dateOf(endOfDate(date) + 1)).not.toBe(date);
  });

  test("what is no date has no end", () => {
    for (const date of ["", "tomorrow", "2026-13-01"]) expect(endOfDate(date)).toBeNaN();
  });

  test("a zone that the browser does not know changes nothing", () => {
    zone.use("Sea/Atlantis");
    expect(zone.name).toBeUndefined();
  });

  test("the time of others is shown where their clocks show another", () => {
    zone.use("Europe/Berlin");
    expect(timeIn("Asia/Tokyo", EVE)).toBe("00:30");
    expect(timeIn("Asia/Kathmandu", EVE)).toBe("21:15");
    expect(timeIn("Europe/Paris", EVE)).toBeUndefined();
    for (const unknown of ["", "Sea/Atlantis", "x"]) expect(timeIn(unknown, EVE)).toBeUndefined();
  });
});
