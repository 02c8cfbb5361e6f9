import { expect, test } from "vitest";
import type { LogEvent } from "../../src/state/messenger/records.ts";
import { expiryOf, textOf, Timeline } from "../../src/state/messenger/timeline.ts";

const id = (number: number): Uint8Array => new Uint8Array(16).fill(number);
const dev = (number: number): Uint8Array => new Uint8Array(16).fill(100 + number);
const say = (number: number, by: 0 | 1, at: number, text = `text ${number}`): LogEvent => ({
  k: "m",
  at,
  by,
  c: { v: 1, id: id(number), kind: "text", sent: Math.floor(at / 1000), text },
});
const change = (number: number, by: 0 | 1, at: number, rest: object): LogEvent =>
  ({ k: "m", at, by, c: { v: 1, id: id(number), sent: Math.floor(at / 1000), ...rest } }) as LogEvent;

const STORY: LogEvent[] = [
  say(1, 0, 1_000),
  say(2, 1, 2_000),
  say(2, 1, 2_400),
  change(3, 1, 3_000, { kind: "edit", target: id(2), text: "first edit" }),
  change(4, 1, 4_000, { kind: "edit", target: id(2), text: "second edit" }),
  change(5, 0, 5_000, { kind: "edit", target: id(2), text: "not mine to edit" }),
  change(6, 0, 6_000, { kind: "reaction", target: id(2), emoji: "❤" }),
  change(7, 0, 7_000, { kind: "reaction", target: id(2), emoji: "" }),
  change(8, 1, 8_000, { kind: "reaction", target: id(1), emoji: "👍" }),
  { k: "r", at: 9_000, what: "delivered", t: [id(1)], dev: dev(1) },
  { k: "r", at: 9_500, what: "read", t: [id(1), id(2)], dev: dev(1) },
  say(10, 0, 10_000),
  change(11, 1, 11_000, { kind: "delete", target: id(10) }),
  change(12, 0, 12_000, { kind: "delete", target: id(10) }),
  say(13, 1, 13_000),
  { k: "x", at: 14_000, t: [id(13)] },
  { k: "l", at: 15_000, id: id(15), dev: dev(2) },
  { k: "h", at: 16_000, dev: dev(2) },
  { k: "l", at: 17_000, id: id(17), dev: dev(2) },
  { k: "n", at: 18_000, id: id(18), what: "verified" },
];

function told(events: readonly LogEvent[]): unknown {
  const timeline = new Timeline();
  timeline.apply(events);
  return timeline.shown(0).map((entry) => ({
    id: entry.id,
    at: entry.at,
    text: textOf(entry),
    deleted: entry.deleted,
    lost: entry.lost,
    mine: entry.reactions.mine,
    theirs: entry.reactions.theirs,
    delivered: [...entry.delivered],
    read: [...entry.read],
  }));
}

test("what events add up to is what a person expects", () => {
  const timeline = new Timeline();
  timeline.apply(STORY);
  const shown = timeline.shown(0);
  expect(shown.map((entry) => entry.id.slice(0, 2))).toEqual(["01", "02", "0a", "11", "12"]);
  expect(textOf(shown[1]!)).toBe("second edit");
  expect(shown[1]).toMatchObject({ at: 2_000, reactions: { mine: "", theirs: "" } });
  expect(shown[1]!.read.size).toBe(0);
  expect(shown[0]!.read.size).toBe(1);
  expect(shown[2]).toMatchObject({ deleted: true });
  expect(shown[3]!.lost).toBe(true);
});

test("neither the order of events nor their repetition matters", () => {
  const expected = told(STORY);
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff;
    return seed % below;
  };
  for (let turn = 0; turn < 300; turn++) {
    const events = [...STORY, ...STORY.filter(() => random(3) === 0)];
    for (let at = events.length - 1; at > 0; at--) {
      const other = random(at + 1);
      [events[at], events[other]] = [events[other]!, events[at]!];
    }
    expect(told(events)).toEqual(expected);
  }
});

test("timers run from reading for theirs and from sending for mine", () => {
  const timeline = new Timeline();
  const timed = (number: number, by: 0 | 1): LogEvent =>
    change(number, by, 5_000, { kind: "text", text: "x", timer: 60 });
  timeline.apply([timed(1, 0), timed(2, 1)]);
  const [mine, theirs] = timeline.shown(0);
  expect([expiryOf(mine!), expiryOf(theirs!)]).toEqual([65, null]);
  timeline.apply([
    { k: "s", at: 90_000, t: [id(2)] },
    { k: "s", at: 99_000, t: [id(2)] },
  ]);
  expect(expiryOf(theirs!)).toBe(150);
});
