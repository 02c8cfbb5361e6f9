import { expect, test } from "vitest";
import type { Setting } from "../../src/protocol/desk.ts";
import { differs, grouped, kindOf, parsed, shown } from "../../src/ui/pages/settings/editing.ts";

function setting(name: string, value: unknown, unit = "", choices: string[] | null = null): Setting {
  return { name, value, default: value, unit, doc: "", live: true, choices };
}

test.each([
  [setting("a", true), "switch", "true"],
  [setting("b", "invite", "", ["open", "invite"]), "choice", "invite"],
  [setting("c", 5, "hours"), "number", "5"],
  [setting("d", 3 * 1024 * 1024, "bytes"), "number", "3"],
  [setting("e", ["x", "y"]), "lines", "x\ny"],
  [setting("f", "auto"), "text", "auto"],
])("%# is edited as %s and comes back as it was", (one, kind, text) => {
  expect(kindOf(one)).toBe(kind);
  expect(shown(one)).toBe(text);
  expect(parsed(one, text)).toEqual(one.value);
  expect(differs(one, ` ${text} `)).toBe(false);
});

test("numbers: a decimal comma is one, words are not", () => {
  const space = setting("relay_octets", 0, "bytes");
  expect(parsed(space, "1,5")).toBe(1.5 * 1024 * 1024);
  expect(parsed(space, "")).toBeUndefined();
  expect(parsed(space, "much")).toBeUndefined();
});

test("lines lose what is empty", () => {
  expect(parsed(setting("bridges", []), " one \n\n two\n")).toEqual(["one", "two"]);
});

test("every setting is in one group, unknown ones in the last", () => {
  const all = [
    "nonces_kept",
    "tor",
    "bridges",
    "relay_policy",
    "ttl_max_hours",
    "outbox_first_seconds",
    "data",
    "novel",
  ];
  const groups = grouped(all.map((name) => setting(name, "")));
  expect(groups.map((one) => one.group)).toEqual(["tor", "relay", "delivery", "place", "limits", "other"]);
  expect(groups.flatMap((one) => one.settings)).toHaveLength(all.length);
});
