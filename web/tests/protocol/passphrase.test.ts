import { expect, test } from "vitest";
import { strength } from "../../src/protocol/passphrase.ts";

test.each([
  ["", "none"],
  ["boat", "weak"],
  ["password", "weak"],
  ["password123", "weak"],
  ["aaaaaaaaaaaaaaaaaaaa", "weak"],
  ["1234567890123456", "weak"],
  ["island island island island", "weak"],
])("%j is %s", (text, word) => {
  expect(strength(text)).toBe(word);
});

test("more unrelated words are never weaker", () => {
  const order = ["none", "weak", "fair", "good", "strong"];
  let last = 0;
  const words = "amber kelp seven lantern harbour violin".split(" ");
  words.forEach((_, count) => {
    const now = order.indexOf(strength(words.slice(0, count + 1).join(" ")));
    expect(now).toBeGreaterThanOrEqual(last);
    last = now;
  });
  expect(order[last]).toBe("strong");
});

test("four words are at least good", () => {
  expect(["good", "strong"]).toContain(strength("amber kelp seven lantern"));
});
