import { describe, expect, test } from "vitest";
import { decode } from "../../src/protocol/cbor.ts";
import type { Entry, Found } from "../../src/protocol/directory.ts";
import { signingPublic } from "../../src/protocol/keys.ts";
import * as log from "../../src/protocol/transparency.ts";
import { hex, refusalOf, seed, vectors } from "../vectors.ts";
import { signNote } from "./made/directory.ts";

interface Log {
  leaves: string[];
  leaf_hashes: string[];
  roots: string[];
  inclusion: { index: number; size: number; hashes: string[] }[];
  consistency: { first: number; second: number; hashes: string[] }[];
  checkpoint: {
    box_seed: string;
    origin: string;
    size: number;
    root: string;
    note: string;
    with_witness: string;
  };
  refused_notes: string[];
}
const file = vectors<Log>("transparency");
const leaves = file.leaves.map(hex);
const heads = file.roots.map((root, size) => ({ origin: "log", size, root: hex(root) }));
const box = signingPublic(hex(file.checkpoint.box_seed));

/** Proofs that are wrong in one place, or too short or long by one. */
function wrongs(hashes: Uint8Array[]): Uint8Array[][] {
  const changed = hashes.map((_, at) => hashes.map((each, other) => (at === other ? seed("wrong") : each)));
  return [
    ...changed,
    hashes.slice(1),
    hashes.slice(0, -1),
    [...hashes, seed("more")],
    [seed("a"), ...hashes],
  ].filter((each) => each.length !== hashes.length || each.length > 0);
}

test("leaves and roots", () => {
  expect(leaves.map(log.leafHash)).toEqual(file.leaf_hashes.map(hex));
  expect(heads.map((head) => log.rootOf(leaves.slice(0, head.size)))).toEqual(heads.map((head) => head.root));
});

describe("inclusion", () => {
  test.each(file.inclusion)("leaf $index of $size", ({ index, size, hashes }) => {
    const proof = hashes.map(hex);
    const [leaf, head] = [leaves[index]!, heads[size]!];
    log.checkInclusion(leaf, index, head, proof);
    const refused = (make: () => void) => expect(refusalOf(make)).toBe("bad_log");
    for (const wrong of wrongs(proof)) refused(() => log.checkInclusion(leaf, index, head, wrong));
    for (const other of [index - 1, index + 1, index + 0.5, size])
      refused(() => log.checkInclusion(leaf, other, head, proof));
    refused(() => log.checkInclusion(seed("another"), index, head, proof));
  });
});

describe("consistency", () => {
  test.each(file.consistency)("$first to $second", ({ first, second, hashes }) => {
    const proof = hashes.map(hex);
    const [older, newer] = [heads[first]!, heads[second]!];
    log.checkConsistency(older, newer, proof);
    const refused = (make: () => void) => expect(refusalOf(make)).toBe("bad_log");
    for (const wrong of wrongs(proof)) refused(() => log.checkConsistency(older, newer, wrong));
    if (first > 0) refused(() => log.checkConsistency({ ...older, root: seed("x") }, newer, proof));
    if (first > 0) refused(() => log.checkConsistency(older, { ...newer, root: seed("x") }, proof));
    refused(() => log.checkConsistency({ ...older, origin: "another" }, newer, proof));
    if (first < second) refused(() => log.checkConsistency(newer, older, proof));
  });
});

describe("checkpoint", () => {
  const { origin, size, root, note, with_witness } = file.checkpoint;

  test("read", () => {
    expect(log.readCheckpoint(note, box)).toEqual({ origin, size, root: hex(root) });
    expect(log.readCheckpoint(with_witness, box)).toEqual({ origin, size, root: hex(root) });
  });

  test.each(file.refused_notes)("refused %#", (wrong) => {
    expect(refusalOf(() => log.readCheckpoint(wrong, box))).toBe("bad_log");
  });

  test("of another box", () => {
    expect(refusalOf(() => log.readCheckpoint(note, signingPublic(seed("another"))))).toBe("bad_log");
  });
});

describe("a whole look-up", () => {
  const people = vectors<{
    entry: string;
    signed_entry: string;
    signed_bundle: string;
    refused_bundles: { signed: string }[];
  }>("prekeys");
  const entry = decode(hex(people.entry)) as unknown as Entry;
  const entries = [seed("one"), seed("two"), hex(people.signed_entry)];
  const want = { name: entry.name, onion: entry.onion };

  /** A note by the box of the vectors, written without the code under test. */
  function noteOf(leaves: Uint8Array[]): string {
    return signNote(hex(file.checkpoint.box_seed), box, leaves.length, log.rootOf(leaves));
  }

  function found(bundles: string[] = [people.signed_bundle]): Found {
    const hashes = [log.rootOf(entries.slice(0, 2))];
    const proof = { index: 2, hashes, checkpoint: noteOf(entries), consistency: null };
    return { entry: entries[2]!, proof, bundles: bundles.map(hex) };
  }

  test("entry, log and bundles", () => {
    const known = log.readDirectory(found(), want, null);
    expect(known.entry).toEqual(entry);
    expect(known.head.size).toBe(3);
    expect(known.bundles.map((bundle) => bundle.device)).toEqual([entry.devices[0]!.device]);
  });

  test("a wrong bundle leaves out its own device only; a second one of a device does not count", () => {
    const wrong = people.refused_bundles[0]!.signed;
    expect(log.readDirectory(found([wrong, people.signed_bundle]), want, null).bundles).toHaveLength(1);
    expect(
      log.readDirectory(found([people.signed_bundle, people.signed_bundle]), want, null).bundles,
    ).toHaveLength(1);
  });

  test("the log must go on from where it was", () => {
    const older = log.readCheckpoint(noteOf(entries.slice(0, 2)), box);
    const consistency = [log.leafHash(entries[2]!)];
    const answer = found();
    const proven = { ...answer, proof: { ...answer.proof, consistency } };
    expect(log.readDirectory(proven, want, older).head.size).toBe(3);
    expect(refusalOf(() => log.readDirectory(answer, want, older))).toBe("bad_log");
    const forked = log.readCheckpoint(noteOf([seed("one"), seed("other")]), box);
    expect(refusalOf(() => log.readDirectory(proven, want, forked))).toBe("bad_log");
    const longer = log.readCheckpoint(noteOf([...entries, seed("four")]), box);
    expect(refusalOf(() => log.readDirectory(proven, want, longer))).toBe("bad_log");
  });

  test("what is no answer at all", () => {
    const { proof, ...rest } = found();
    const strange = [
      null,
      {},
      rest,
      { ...rest, proof: { ...proof, hashes: ["x"] } },
      { ...found(), entry: "x" },
    ];
    for (const one of strange)
      expect(refusalOf(() => log.readDirectory(one as Found, want, null))).toBe("bad_answer");
  });

  test("another person's entry is refused", () => {
    expect(refusalOf(() => log.readDirectory(found(), { ...want, name: "eve" }, null))).toBe("bad_entry");
    const other = { ...want, identity: seed("x") };
    expect(refusalOf(() => log.readDirectory(found(), other, null))).toBe("bad_entry");
  });
});
