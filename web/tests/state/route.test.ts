import { afterEach, beforeEach, expect, test } from "vitest";
import { go, link, route } from "../../src/state/route.svelte.ts";

beforeEach(() => {
  route.claim = "";
});
afterEach(() => route.stop());

function at(hash: string): void {
  location.hash = hash;
  route.stop();
  route.start();
}

test.each([
  ["", "home", ""],
  ["#/inbox", "inbox", ""],
  ["#/inbox/abc-_", "inbox", "abc-_"],
  ["#/people/x%2Fy", "people", "x/y"],
  ["#/nowhere", "home", ""],
])("%j leads to %s %j", (hash, place, open) => {
  at(hash);
  expect([route.place, route.open]).toEqual([place, open]);
});

test("links lead where they say", () => {
  at(link("send", "a/b"));
  expect([route.place, route.open]).toEqual(["send", "a/b"]);
  go("relay");
  expect(location.hash).toBe("#/relay");
});

test("the one-time token is taken out of the address", () => {
  at("#claim=first-light");
  expect(route.claim).toBe("first-light");
  expect(location.href).not.toContain("first-light");
});

test("an address that cannot be decoded leads home", () => {
  at("#/inbox/%E0%A4%A");
  expect(route.place).toBe("home");
});
