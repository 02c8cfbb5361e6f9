/** The clock of a thread, between the counts that the kernel makes of it. */
import { expect, test } from "vitest";
import { between } from "../../tools/thread.mjs";

test.each([
  [
    "off until it was woken, then on until the next count",
    [
      [0, 10],
      [100, 10],
      [108, 14],
    ],
    102,
    106,
    2,
  ],
  [
    "on between two counts",
    [
      [0, 10],
      [4, 14],
      [8, 18],
    ],
    1,
    6,
    5,
  ],
  [
    "counted at a switch: nothing more before the next one",
    [
      [0, 10],
      [5, 15],
      [90, 16],
    ],
    0,
    50,
    5,
  ],
  ["never counted", [], 0, 50, 0],
] as [string, [number, number][], number, number, number][])("%s", (_what, samples, from, to, used) => {
  expect(between(samples, from, to)).toBeCloseTo(used);
});
