/** Many signatures at once: exactly those are accepted that one by one are, whatever the browser does. */
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Claim } from "../../src/protocol/manySignatures.ts";
import { hex, vectors } from "../vectors.ts";

interface Signatures {
  signed: { public: string; context: string; message: string; signature: string }[];
  refused: { why: string; public: string; signature: string; message: string }[];
}
const file = vectors<Signatures>("signatures");
const claimOf = (one: { public: string; signature: string; message: string; context?: string }): Claim => ({
  key: hex(one.public),
  signature: hex(one.signature),
  context: one.context ?? "vector",
  message: hex(one.message),
});
const claims = [...file.signed, ...file.refused].map(claimOf);
const expected = [...file.signed.map(() => true), ...file.refused.map(() => false)];

/** The module as a page that has just been opened has it: it tries the browser anew. */
async function fresh() {
  vi.resetModules();
  return import("../../src/protocol/manySignatures.ts");
}

afterEach(() => vi.restoreAllMocks());

describe("with the browser's own Ed25519", () => {
  test("exactly the signatures of the vectors are accepted", async () => {
    const many = await fresh();
    expect(await many.isStrict()).toBe(true);
    const asked = vi.spyOn(crypto.subtle, "verify");
    expect(await many.verifyAll(claims)).toEqual(expected);
    expect(await many.verifyAll(claims)).toEqual(expected);
    expect(asked).toHaveBeenCalled();
  });

  test.each(file.refused)("refused before the browser is asked, or by it: $why", async (one) => {
    const many = await fresh();
    expect(await many.verifyAll([claimOf(one)])).toEqual([false]);
  });

  test("what it is tried on is in the vectors", async () => {
    const { TRIALS } = await fresh();
    const known = claims.map(({ key, signature, message }) => String([key, signature, message]));
    for (const { key, signature, message, good } of TRIALS)
      expect(expected[known.indexOf(String([key, signature, message]))]).toBe(good);
  });
});

describe("with another browser the result is the same", () => {
  const answers: [string, () => Promise<boolean>][] = [
    ["that accepts everything", () => Promise.resolve(true)],
    ["that accepts nothing", () => Promise.resolve(false)],
    ["that has no Ed25519", () => Promise.reject(new DOMException("no", "NotSupportedError"))],
  ];
  test.each(answers)("%s", async (_, answer) => {
    vi.spyOn(crypto.subtle, "verify").mockImplementation(answer);
    const many = await fresh();
    expect(await many.isStrict()).toBe(false);
    expect(await many.verifyAll(claims)).toEqual(expected);
  });

  test("whose Ed25519 multiplies the equation by eight", async () => {
    const { TRIALS } = await fresh();
    const torsion = String(TRIALS[1]!.signature);
    const verify = crypto.subtle.verify.bind(crypto.subtle);
    vi.spyOn(crypto.subtle, "verify").mockImplementation((algorithm, key, signature, data) =>
      String(signature) === torsion ? Promise.resolve(true) : verify(algorithm, key, signature, data),
    );
    const many = await fresh();
    expect(await many.isStrict()).toBe(false);
    expect(await many.verifyAll(claims)).toEqual(expected);
  });

  test("that knows no such keys", async () => {
    vi.spyOn(crypto.subtle, "importKey").mockRejectedValue(new DOMException("no", "NotSupportedError"));
    const many = await fresh();
    expect(await many.verifyAll(claims)).toEqual(expected);
  });
});
