import { expect, test } from "vitest";
import { decode } from "../../src/protocol/cbor.ts";
import { readU32 } from "../../src/protocol/bytes.ts";
import type { WorkChallenge } from "../../src/protocol/route.ts";
import { solve } from "../../src/protocol/work.ts";
import { hex, refusalOfPromise, vectors } from "../vectors.ts";

const vector = vectors<{ challenge: string; solution: string }>("work");
const challenge = decode(hex(vector.challenge)) as unknown as WorkChallenge;

test("a puzzle of no bits is solved at once, one of three after some tries", async () => {
  const heard: number[] = [];
  expect(await solve({ ...challenge, bits: 0 })).toEqual({
    challenge: challenge.challenge,
    solution: new Uint8Array(4),
  });
  const { solution } = await solve({ ...challenge, bits: 3 }, (tries) => heard.push(tries));
  expect(heard.at(-1) ?? 0).toBe(readU32(solution, 0));
});

test.each([{ memory_kib: 1 << 20 }, { passes: 17 }, { bits: 21 }])("too much is asked: %j", async (more) => {
  expect(await refusalOfPromise(solve({ ...challenge, ...more }))).toBe("bad_setting");
});
