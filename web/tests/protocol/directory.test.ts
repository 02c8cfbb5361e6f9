/** Entries, bundles, one-time prekeys, sender certificates. */
import { describe, expect, test } from "vitest";
import { decode, encode } from "../../src/protocol/cbor.ts";
import { makeCertificate, readCertificate, type Certificate } from "../../src/protocol/certificate.ts";
import type { Bundle, Entry, OneTimePrekey } from "../../src/protocol/directory.ts";
import * as prekeys from "../../src/protocol/prekeys.ts";
import { drawn, hex, refusalOf, seed, seeded, vectors } from "../vectors.ts";

interface Refused {
  why: string;
  code: string;
  signed: string;
}
interface Prekeys {
  identity_seed: string;
  signing_seed: string;
  entry: string;
  signed_entry: string;
  deleted_entry: string;
  refused_entries: Refused[];
  lasting: string;
  bundle: string;
  signed_bundle: string;
  refused_bundles: Refused[];
  one_time: { secret: string; prekey: string }[];
  refused_one_time: { why: string; prekey: string }[];
}
interface Certificates {
  identity_seed: string;
  certificate: string;
  signed: string;
  good_hours: number[];
  refused: { why: string; signed: string; hour: number }[];
}

/** A value of the vectors as the type it stands for. */
function struct<T>(cbor: string): T {
  return decode(hex(cbor)) as T;
}

const file = vectors<Prekeys>("prekeys");
const entry = struct<Entry>(file.entry);
const device = entry.devices[0]!;
const signingSeed = hex(file.signing_seed);

describe("entry", () => {
  test("signed and read", () => {
    expect(prekeys.signEntry(hex(file.identity_seed), entry)).toEqual(hex(file.signed_entry));
    expect(prekeys.readEntry(hex(file.signed_entry))).toEqual(entry);
    expect(prekeys.readEntry(hex(file.deleted_entry)).devices).toEqual([]);
  });

  test.each(file.refused_entries)("$code: $why", ({ code, signed }) => {
    expect(refusalOf(() => prekeys.readEntry(hex(signed)))).toBe(code);
  });

  test("it must be the one that was asked for", () => {
    const signed = hex(file.signed_entry);
    const { name, onion, identity } = entry;
    expect(prekeys.readEntry(signed, { name, onion, identity })).toEqual(entry);
    const known = (identity: Uint8Array, more: number) => ({
      known: { identity, revision: entry.revision + more },
    });
    expect(prekeys.readEntry(signed, known(identity, 0))).toEqual(entry);
    expect(prekeys.readEntry(signed, known(seed("x"), 1))).toEqual(entry);
    expect(refusalOf(() => prekeys.readEntry(signed, known(identity, 1)))).toBe("old_entry");
    for (const wrong of [{ name: "bobby" }, { onion: seed("x") }, { identity: seed("x") }])
      expect(refusalOf(() => prekeys.readEntry(signed, { name, onion, ...wrong }))).toBe("bad_entry");
  });
});

describe("bundle", () => {
  const bundle = struct<Bundle>(file.bundle);

  test("made, signed and read", () => {
    const lasting = struct<prekeys.LastingSecret>(file.lasting);
    const { issued_hour: hour, routes } = bundle;
    expect(prekeys.bundleOf(entry.identity, device.device, lasting, routes, hour)).toEqual(bundle);
    expect(prekeys.signBundle(signingSeed, bundle)).toEqual(hex(file.signed_bundle));
    expect(prekeys.readBundle(hex(file.signed_bundle), entry)).toEqual(bundle);
    const { prekey_id: id, kem_id, issued_hour } = lasting;
    const random = drawn(lasting.prekey, lasting.kem);
    expect(prekeys.makeLasting(id, kem_id, issued_hour, random)).toEqual(lasting);
  });

  test.each(file.refused_bundles)("$code: $why", ({ code, signed }) => {
    expect(refusalOf(() => prekeys.readBundle(hex(signed), entry))).toBe(code);
  });
});

describe("one-time prekeys", () => {
  test.each(file.one_time)("made and checked %#", (one) => {
    const secret = struct<prekeys.OneTimeSecret>(one.secret);
    const prekey = struct<OneTimePrekey>(one.prekey);
    const random = drawn(secret.prekey, secret.kem);
    const made = prekeys.makeOneTime(device.device, signingSeed, secret.id, random);
    expect(made).toEqual({ secret, prekey });
    prekeys.checkOneTime(prekey, device);
  });

  test.each(file.refused_one_time)("refused: $why", ({ prekey }) => {
    const check = () => prekeys.checkOneTime(struct(prekey), device);
    expect(refusalOf(check)).toBe("bad_bundle");
  });

  test("what is no prekey at all", () => {
    for (const strange of [
      {},
      { ...struct<OneTimePrekey>(file.one_time[0]!.prekey), kem: new Uint8Array(3) },
    ])
      expect(refusalOf(() => prekeys.checkOneTime(strange as OneTimePrekey, device))).toBe("bad_bundle");
  });

  test("many are made in turns", async () => {
    const turns: number[] = [];
    const pause = (made: number) => Promise.resolve().then(() => void turns.push(made));
    const made = await prekeys.makeOneTimes(device.device, signingSeed, 40, 3, seeded("many"), pause);
    expect(turns).toEqual([1, 2, 3]);
    expect(made.prekeys.map((one) => one.id)).toEqual([40, 41, 42]);
    expect(made.secrets.map((one) => one.id)).toEqual([40, 41, 42]);
    for (const prekey of made.prekeys) prekeys.checkOneTime(prekey, device);
  });
});

describe("certificate", () => {
  const { identity_seed, certificate, signed, good_hours, refused } = vectors<Certificates>("certificate");

  test("made, and read in its hours", () => {
    const value = struct<Certificate>(certificate);
    const { version: _, identity: __, ...about } = value;
    expect(makeCertificate(hex(identity_seed), about)).toEqual(hex(signed));
    for (const hour of good_hours) expect(readCertificate(hex(signed), hour)).toEqual(value);
  });

  test.each(refused)("refused: $why", ({ signed, hour }) => {
    expect(refusalOf(() => readCertificate(hex(signed), hour))).toBe("bad_message");
  });
});

test("whatever is changed in a signed value, it is refused", () => {
  const signed = hex(file.signed_entry);
  const random = seeded("changed");
  for (let run = 0; run < 60; run++) {
    const wrong = signed.slice();
    const at = ((random(1)[0]! << 8) | random(1)[0]!) % wrong.length;
    wrong[at]! ^= 1 << (random(1)[0]! & 7);
    expect(["bad_entry", "unknown_version"]).toContain(refusalOf(() => prekeys.readEntry(wrong)));
  }
  expect(encode(prekeys.readEntry(signed))).toEqual(signed.slice(64));
});
