/** What opens an account: passphrases, backup codes, links, vault records. */
import { describe, expect, test } from "vitest";
import { codeKeys, codeText, makeCode, readCode } from "../../src/protocol/backupCode.ts";
import { decode, encode, type Value } from "../../src/protocol/cbor.ts";
import { linkFragment, openLink, readLink, sealLink } from "../../src/protocol/link.ts";
import { openRecord, openVault, recordId, sealRecord } from "../../src/protocol/record.ts";
import { stretch, unwrapVaultKey, wrapVaultKey } from "../../src/protocol/stretching.ts";
import { drawn, hex, refusalOf, refusalOfPromise, seed, seeded, vectors } from "../vectors.ts";

interface Keys {
  authentication: string;
  wrapping: string;
}
interface Passphrases {
  cases: (Keys & { passphrase: string; salt: string; memory_kib: number; passes: number })[];
  wrap: { wrapping: string; account: string; vault_key: string; nonce: string; wrapped: string };
  refused: { why: string; account: string; wrapped: string }[];
}
interface Codes {
  cases: (Keys & { code: string; text: string })[];
  same: { text: string; code: string }[];
  refused: string[];
}
interface Links {
  id: string;
  secret: string;
  fragment: string;
  vault_key: string;
  name: string;
  nonce: string;
  packet: string;
  refused_fragments: string[];
  refused_packets: string[];
}
interface Records {
  vault_key: string;
  records: { name: string; id: string; version: number; nonce: string; value: string; data: string }[];
  padded: [number, number][];
  refused: { why: string; code: string; id: string; version: number; data: string }[];
}

describe("passphrase", () => {
  const { cases, wrap, refused } = vectors<Passphrases>("passphrase");

  test.each(cases)("$passphrase in $memory_kib KiB", { timeout: 60_000 }, async (one) => {
    const shares: number[] = [];
    const kdf = { salt: hex(one.salt), memory_kib: one.memory_kib, passes: one.passes };
    expect(await stretch(one.passphrase, kdf, (share) => shares.push(share))).toEqual({
      authentication: hex(one.authentication),
      wrapping: hex(one.wrapping),
    });
    expect(shares.at(-1)).toBe(1);
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
  });

  test.each([
    { memory_kib: 7 },
    { memory_kib: (1 << 20) + 1 },
    { passes: 0 },
    { passes: 17 },
    { salt: new Uint8Array(15) },
    { memory_kib: 64.5 },
  ])("a box may not ask for %j", async (more) => {
    const kdf = { salt: new Uint8Array(16), memory_kib: 64, passes: 1, ...more };
    expect(await refusalOfPromise(stretch("x", kdf))).toBe("bad_setting");
  });

  test("the vault key is wrapped and comes back", () => {
    const [key, account, vault] = [hex(wrap.wrapping), hex(wrap.account), hex(wrap.vault_key)];
    expect(wrapVaultKey(key, account, vault, drawn(hex(wrap.nonce)))).toEqual(hex(wrap.wrapped));
    expect(unwrapVaultKey(key, account, hex(wrap.wrapped))).toEqual(vault);
  });

  test.each(refused)("not unwrapped: $why", ({ account, wrapped }) => {
    const open = () => unwrapVaultKey(hex(wrap.wrapping), hex(account), hex(wrapped));
    expect(refusalOf(open)).toBe("not_opened");
  });
});

describe("backup code", () => {
  const { cases, same, refused } = vectors<Codes>("backup_code");

  test.each(cases)("$text", (one) => {
    expect(codeText(hex(one.code))).toBe(one.text);
    expect(readCode(one.text)).toEqual(hex(one.code));
    const keys = { authentication: hex(one.authentication), wrapping: hex(one.wrapping) };
    expect(codeKeys(hex(one.code))).toEqual(keys);
  });

  test.each(same)("the same, spelled %j", ({ text, code }) => {
    expect(readCode(text)).toEqual(hex(code));
  });

  test.each(refused)("no code: %j", (text) => {
    expect(refusalOf(() => readCode(text))).toBe("malformed");
  });

  test("every code comes back from paper", () => {
    const random = seeded("codes");
    for (let run = 0; run < 200; run++) {
      const code = makeCode(random);
      expect(readCode(codeText(code).toLowerCase().replaceAll("1", "l"))).toEqual(code);
    }
  });
});

describe("link", () => {
  const link = vectors<Links>("link");
  const [id, secret] = [hex(link.id), hex(link.secret)];
  const packet = { vault_key: hex(link.vault_key), name: link.name };

  test("fragment and packet", () => {
    expect(linkFragment(id, secret)).toBe(link.fragment);
    expect(readLink(link.fragment)).toEqual({ id, secret });
    expect(sealLink(id, secret, packet, drawn(hex(link.nonce)))).toEqual(hex(link.packet));
    expect(openLink(id, secret, hex(link.packet))).toEqual(packet);
  });

  test.each(link.refused_fragments)("no link: %j", (text) => {
    expect(refusalOf(() => readLink(text))).toBe("malformed");
  });

  test.each(link.refused_packets)("not opened %#", (data) => {
    expect(refusalOf(() => openLink(id, secret, hex(data)))).toBe("not_opened");
  });

  test("another packet's id, or something else inside, does not open", () => {
    expect(refusalOf(() => openLink(seed("other", 16), secret, hex(link.packet)))).toBe("not_opened");
    const strange = { vault_key: new Uint8Array(31), name: "ada" };
    const sealed = sealLink(id, secret, strange, seeded("x"));
    expect(refusalOf(() => openLink(id, secret, sealed))).toBe("not_opened");
  });
});

describe("vault record", () => {
  const { vault_key, records, padded, refused } = vectors<Records>("record");
  const opened = openVault(hex(vault_key));

  test.each(records)("$name", async (one) => {
    const keys = await opened;
    const [id, value] = [hex(one.id), decode(hex(one.value))];
    expect(recordId(keys, one.name)).toEqual(id);
    const data = await sealRecord(keys, id, one.version, value, drawn(hex(one.nonce)));
    expect(data).toEqual(hex(one.data));
    expect(await openRecord(keys, id, one.version, data)).toEqual(value);
  });

  test.each(padded)("%i octets are padded to %i", async (octets, size) => {
    const value = valueOf(octets);
    // The smallest value has one octet.
    if (octets > 0) expect(encode(value)).toHaveLength(octets);
    const data = await sealRecord(await opened, new Uint8Array(16), 1, value, seeded("pad"));
    expect(data).toHaveLength(1 + 12 + size + 16);
  });

  test.each(refused)("$code: $why", async ({ code, id, version, data }) => {
    const keys = await opened;
    expect(await refusalOfPromise(openRecord(keys, hex(id), version, hex(data)))).toBe(code);
  });

  test("larger than the box takes", async () => {
    const value = new Uint8Array(256 * 1024);
    const sealing = sealRecord(await opened, new Uint8Array(16), 1, value, seeded("large"));
    expect(await refusalOfPromise(sealing)).toBe("too_large");
  });

  /** A value whose encoding has so many octets. */
  function valueOf(octets: number): Value {
    if (octets < 2) return 0;
    for (let length = octets; length >= 0; length--) {
      const value = new Uint8Array(length);
      const head = encode(value).length;
      if (head === octets) return value;
      if (head < octets) return [...Array.from({ length: octets - head - 1 }, () => 0), value];
    }
    throw new Error("no such value");
  }
});
