/** Names that are begun behind an @. */
import { expect, test } from "vitest";
import { Naming } from "../../src/ui/talk/naming.svelte.ts";

const PEOPLE = ["marta", "mario", "jonas", "j.m-2"].map((name) => ({ name, identity: "00" }));

function look(text: string, caret = text.length): Naming {
  const naming = new Naming(() => PEOPLE);
  naming.look(text, caret);
  return naming;
}

test.each([
  ["@", ["marta", "mario", "jonas", "j.m-2"]],
  ["Hello @Ma", ["marta", "mario"]],
  ["(@jo", ["jonas"]],
  ["@j.m", ["j.m-2"]],
  ["ada@ma", []],
  ["@@ma", []],
  ["@marta is", []],
  ["@nobody", []],
])("“%s” may become %j", (text, names) => {
  expect(look(text).found.map((one) => one.name)).toEqual(names);
});

test("the name is written out where the caret is, with one space behind it", () => {
  expect(look("Hello @ma and all", 9).written("Hello @ma and all", "marta")).toEqual([
    "Hello @marta and all",
    13,
  ]);
});

test("arrows go round, Enter and Tab take, Escape closes, other keys are the text's", () => {
  const naming = look("@ma");
  expect(naming.chosen).toBe("marta");
  expect(naming.key("ArrowDown")).toBe(true);
  expect(naming.chosen).toBe("mario");
  naming.key("ArrowDown");
  expect(naming.chosen).toBe("marta");
  naming.key("ArrowUp");
  expect(naming.chosen).toBe("mario");
  expect([naming.key("Enter"), naming.key("Tab"), naming.key("x")]).toEqual([true, true, false]);
  expect(naming.key("Escape")).toBe(true);
  expect(naming.found).toEqual([]);
  expect(naming.key("ArrowDown")).toBe(false);
});
