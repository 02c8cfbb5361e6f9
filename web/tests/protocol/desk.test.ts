/** The client's types of the desk have the fields of the box's, neither more nor less. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { WEB } from "../vectors.ts";

const box = readFileSync(join(WEB, "../appliance/protocol/desk.py"), "utf8");
const client = readFileSync(join(WEB, "src/protocol/desk.ts"), "utf8");

function fields(source: string, head: RegExp, line: RegExp): Map<string, string[]> {
  const found = new Map<string, string[]>();
  let current: string[] | undefined;
  for (const text of source.split("\n")) {
    const name = head.exec(text)?.[1];
    if (name) found.set(name, (current = []));
    const field = line.exec(text)?.[1];
    if (field) current?.push(field);
  }
  return found;
}

const ofBox = fields(box, /^class (\w+)\(Message/, /^ {4}(\w+): /);
const ofClient = fields(client, /^export interface (\w+)/, /^ {2}(\w+)\??: /);

test.each([...ofBox.keys()])("%s", (name) => {
  expect(ofClient.get(name)).toEqual(ofBox.get(name));
});

test("the client invents nothing", () => {
  expect([...ofClient.keys()].filter((name) => !ofBox.has(name))).toEqual([]);
});
