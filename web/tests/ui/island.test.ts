import { expect, test } from "vitest";
import { onion } from "../../dev/onions.mjs";
import { islandOf } from "../../src/ui/kit/island.ts";

test("the same key gives the same island, other keys other ones", () => {
  const drawn = Array.from({ length: 40 }, (_, seed) => JSON.stringify(islandOf(onion(seed))));
  expect(new Set(drawn).size).toBe(40);
  expect(JSON.stringify(islandOf(onion(7)))).toBe(drawn[7]);
});

test("what is no address has an island too", () => {
  expect(islandOf("").far).toMatch(/^M/);
  expect(islandOf("someone").sky).toMatch(/^hsl\(/);
});
