/** The address of a board for other boxes: what was written is read, and nothing else. */
import { expect, test } from "vitest";
import { publicKey } from "../../src/protocol/onion.ts";
import { readRoom, writeRoom } from "../../src/protocol/room.ts";

// As `island board peers` writes it.
const LINE = "ksynqhipu7ia4st5mag7votpfmragwzc7yzv4f7n6x42uw5qkb2ctvyd.onion/m5twoz3hm5twoz3hm5twoz3hm4";

test("an address is read as it was written", () => {
  const home = publicKey(LINE.split("/")[0]!);
  const found = readRoom(` ${LINE.slice(0, 20)}\n${LINE.slice(20).toUpperCase()} `);
  expect(found).toEqual({ home, room: new TextEncoder().encode("g".repeat(16)) });
  expect(writeRoom(found!)).toBe(LINE);
});

test.each([
  "",
  LINE.split("/")[0]!,
  `${LINE.split("/")[0]}/`,
  LINE.slice(0, -1),
  `${LINE}/x`,
  LINE.replace("k", "a"),
  LINE.replace(/.$/, "7"),
])("%s is none", (text) => {
  expect(readRoom(text)).toBeUndefined();
});
