import { afterEach, beforeEach, expect, test } from "vitest";
import { go, link, route } from "../../src/state/route.svelte.ts";

beforeEach(() => route.spend());
afterEach(() => route.stop());

function at(hash: string): void {
  location.hash = hash;
  route.stop();
  route.start();
}

test.each([
  ["", "messages", "", ""],
  ["#/messages/abc-_", "messages", "abc-_", ""],
  ["#/messages/abc/def", "messages", "abc", "def"],
  ["#/people/add", "people", "add", ""],
  ["#/account", "account", "", ""],
  ["#/relay", "box", "", ""],
  ["#/nowhere", "messages", "", ""],
])("%j leads to %s %j %j", (hash, place, open, rest) => {
  at(hash);
  expect([route.place, route.open, route.rest]).toEqual([place, open, rest]);
});

test("an address with one slash too many brings its secret all the same", () => {
  const before = location.href;
  history.replaceState(null, "", `${location.origin}//`);
  at("#/invite/abc");
  expect([route.key?.kind, route.key?.secret]).toEqual(["invite", "abc"]);
  expect(location.href).toBe(`${location.origin}//`);
  history.replaceState(null, "", before);
});

test("links lead where they say", () => {
  at(link("messages", "a", "b"));
  expect([route.place, route.open, route.rest]).toEqual(["messages", "a", "b"]);
  at(link("health"));
  expect([route.place, route.page]).toEqual(["box", "health"]);
  go("box");
  expect(location.hash).toBe("#/home");
});

test.each([
  ["#claim=first-light", "claim", "first-light"],
  ["#/invite/RK7D-2M9Q", "invite", "RK7D-2M9Q"],
  ["#/link/Qm9hdHM_-", "link", "Qm9hdHM_-"],
])("the secret of %s is taken out of the address", (hash, kind, secret) => {
  at(hash);
  expect(route.key).toEqual({ kind, secret });
  expect(location.href).not.toContain(secret);
});

test("an address that cannot be decoded leads to the first place", () => {
  at("#/people/%E0%A4%A");
  expect(route.place).toBe("messages");
});
