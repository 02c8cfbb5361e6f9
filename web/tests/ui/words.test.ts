/** What is said about messages, and the small readings behind it. */
import { expect, test } from "vitest";
import { FakeConversation } from "../../dev/conversation.svelte.ts";
import type { Line } from "../../dev/talk.ts";
import { onion } from "../../dev/onions.mjs";
import type { Message } from "../../src/state/messenger/types.ts";
import { readPerson } from "../../src/ui/people/address.ts";
import { browserLabel } from "../../src/ui/door/label.ts";
import { around } from "../../src/ui/talk/around.ts";
import { condense } from "../../src/ui/talk/recording.svelte.ts";
import { preview, stateWords, together } from "../../src/ui/messages/words.ts";
import { newDay } from "../../src/ui/talk/said.ts";

function message(line: Partial<Line>): Message {
  const talk = new FakeConversation(`marta@${onion(2)}`, { lines: [{ ago: 60, ...line }] });
  return talk.last!;
}

test.each([
  [{ state: "sealed" }, "Sealed"],
  [{ state: "waiting" }, "Waiting at your box"],
  [{ state: "relay", until: Date.UTC(2026, 10, 28, 12) / 3_600_000 }, "At their relay until 28 November"],
  [{ state: "relay" }, "At their relay"],
  [{ state: "failed", problem: "disk_full" }, "Not sent: The disk is full."],
  [{ state: "failed", problem: "never heard of" }, "Not sent"],
  [{ state: "" }, ""],
] as const)("%j is said as “%s”", (line, words) => {
  expect(stateWords(message(line))).toBe(words);
});

test.each([
  [{ text: "two\nlines" }, "two lines"],
  [{ text: "gone", deleted: true }, "Deleted"],
  [{ kind: "timer", timer: 3600 }, "Messages disappear 1 hour after they are read."],
  [{ kind: "timer", timer: 0 }, "Messages do not disappear any more."],
  [{ kind: "notice", notice: "accepted" }, "You can write to each other now."],
] as const)("%j reads “%s” in a list", (line, words) => {
  expect(preview(message(line))).toBe(words);
});

test("messages of one person stand together for five minutes of one day", () => {
  const [first, second, third] = [
    message({ ago: 400 }),
    message({ ago: 300 }),
    message({ ago: 300, by: "me" }),
  ];
  expect(together(first, second)).toBe(!newDay(first, second));
  expect(together(second, third)).toBe(false);
  expect(together(message({ ago: 4000 }), second)).toBe(false);
  expect(together(undefined, second)).toBe(false);
});

const ADDRESS = `ada@${onion(1)}`;
test.each([
  ["", "empty"],
  [ADDRESS, "good"],
  [`  ADA@${onion(1).toUpperCase().slice(0, 20)}\n${onion(1).slice(20)} `, "good"],
  [`ISLAND:${ADDRESS}`, "good"],
  [ADDRESS.replace(/a(?=.{10}onion)/, "b").replace("@" + onion(1)[0], "@7"), "mistyped"],
  ["ada@nowhere", "bad"],
  [onion(1), "bad"],
  [`Ada Lovelace!@${onion(1)}`, "bad"],
  [`ada@${onion(1)}@more`, "bad"],
])("%j is %s as an address", (text, kind) => {
  expect(readPerson(text).kind).toBe(kind);
});

test("what surrounds a hit is shortened at both ends", () => {
  const long = `${"a ".repeat(60)}needle${" b".repeat(90)}`;
  const [before, match, after] = around(long, "NEEDLE");
  expect(before.startsWith("…")).toBe(true);
  expect(match).toBe("needle");
  expect(after.endsWith("…")).toBe(true);
  expect(around("short", "ort")).toEqual(["sh", "ort", ""]);
});

test("loudness is kept in at most 64 steps, the loudest is 255", () => {
  const peaks = condense(Array.from({ length: 1000 }, (_, at) => at / 1000));
  expect(peaks.length).toBe(64);
  expect(Math.max(...peaks)).toBe(255);
  expect(condense([])).toEqual(new Uint8Array());
  expect(condense([0.2, 0.4])).toEqual(new Uint8Array([128, 255]));
});

test.each([
  ["Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox, Linux"],
  ["Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) Version/18.0 Mobile Safari/604.1", "Safari, iOS"],
  ["curl/8", "Browser"],
])("%s is called %s", (agent, label) => {
  expect(browserLabel(agent)).toBe(label);
});
