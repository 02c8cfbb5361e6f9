/** The client's types of a member's wire have the fields of the box's, neither more nor less. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { WEB } from "../vectors.ts";

interface Field {
  name: string;
  optional: boolean;
}

const BOX = /^class (\w+)\(Message(.*)\):/;
const CLIENT = /^export interface (\w+)/;

/** Fields by type; a field may be left out where it has a default and defaults are not written. */
function fields(source: string, head: RegExp, field: (line: string, open: boolean) => Field | undefined) {
  const found = new Map<string, Field[]>();
  let current: Field[] | undefined;
  let open = false;
  for (const line of source.replace(/"""[^]*?"""/g, "").split("\n")) {
    const match = head.exec(line);
    if (match) {
      found.set(match[1]!, (current = []));
      open = !match[2]?.includes("omit_defaults=False");
    } else if (/^\S/.test(line) && line !== ")") current = undefined;
    const one = field(line, open);
    if (one) current?.push(one);
  }
  return found;
}

function ofBox(line: string, open: boolean): Field | undefined {
  const match = /^ {4}(\w+): (.*)$/.exec(line);
  return match ? { name: match[1]!, optional: open && / = /.test(match[2]!) } : undefined;
}

function ofClient(line: string): Field | undefined {
  const match = /^ {2}(\w+)(\??):/.exec(line);
  return match ? { name: match[1]!, optional: match[2] === "?" } : undefined;
}

describe.each([
  "account",
  "directory",
  "vault",
  "log",
  "board",
  "search",
  "mirror",
  "post",
  "channel",
  "moderation",
  "audit",
])("%s", (module) => {
  const box = fields(readFileSync(join(WEB, `../appliance/protocol/${module}.py`), "utf8"), BOX, ofBox);
  const client = fields(readFileSync(join(WEB, `src/protocol/${module}.ts`), "utf8"), CLIENT, ofClient);

  test.each([...box.keys()])("%s", (name) => {
    expect(client.get(name)).toEqual(box.get(name));
  });

  test("the client invents nothing", () => {
    expect([...client.keys()].filter((name) => !box.has(name))).toEqual([]);
  });
});

test("routes and puzzles", () => {
  const client = fields(readFileSync(join(WEB, "src/protocol/route.ts"), "utf8"), CLIENT, ofClient);
  const box = ["route", "messages"].flatMap((module) => [
    ...fields(readFileSync(join(WEB, `../appliance/protocol/${module}.py`), "utf8"), BOX, ofBox),
  ]);
  expect([...client.keys()]).toEqual(["Route", "WorkChallenge", "WorkSolution"]);
  for (const [name, known] of client) expect(known).toEqual(new Map(box).get(name));
});

test("every code of the client's protocol is one of the box's", () => {
  const errors = readFileSync(join(WEB, "../appliance/errors.py"), "utf8");
  const refusal = readFileSync(join(WEB, "src/protocol/refusal.ts"), "utf8");
  const codes = [...refusal.matchAll(/^ {2}\| "(\w+)"/gm)].map((match) => match[1]!);
  expect(codes.length).toBeGreaterThan(10);
  for (const code of codes) expect(errors).toContain(`"${code}": Row(`);
});
