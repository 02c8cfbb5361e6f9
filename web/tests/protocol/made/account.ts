/** Made for Python: what opens an account. */
import { codeKeys, codeText } from "../../../src/protocol/backupCode.ts";
import { toHex } from "../../../src/protocol/bytes.ts";
import type { Value } from "../../../src/protocol/cbor.ts";
import { linkFragment, sealLink } from "../../../src/protocol/link.ts";
import { openVault, recordId, sealRecord } from "../../../src/protocol/record.ts";
import { safetyNumber, safetyQr } from "../../../src/protocol/safety.ts";
import { stretch, wrapVaultKey, type Stretched } from "../../../src/protocol/stretching.ts";
import { drawn } from "../../vectors.ts";
import { A, B, cbor, own } from "./cast.ts";

const keysOf = (keys: Stretched) => ({
  authentication: toHex(keys.authentication),
  wrapping: toHex(keys.wrapping),
});

export async function passphrase() {
  const words: [string, number, number][] = [
    ["rope & salt", 256, 3],
    ["\u00e9t\u00e9 \u2167 \uff21\u0301\u{1f30a}", 128, 1],
  ];
  const cases = [];
  for (const [passphrase, memory_kib, passes] of words) {
    const salt = own(`salt ${passes}`, 16);
    const keys = await stretch(passphrase, { salt, memory_kib, passes });
    cases.push({ passphrase, salt: toHex(salt), memory_kib, passes, ...keysOf(keys) });
  }
  const [wrapping, account, vaultKey, nonce] = [own("w"), own("a", 16), own("v"), own("n", 24)];
  const wrapped = wrapVaultKey(wrapping, account, vaultKey, drawn(nonce));
  const wrap = { wrapping, account, vault_key: vaultKey, nonce, wrapped };
  return {
    cases,
    wrap: Object.fromEntries(Object.entries(wrap).map(([name, bytes]) => [name, toHex(bytes)])),
  };
}

export function backupCode() {
  const codes = [0, 1, 2, 3].map((at) => own(`code ${at}`, 16));
  const cases = codes.map((code) => ({ code: toHex(code), text: codeText(code), ...keysOf(codeKeys(code)) }));
  return { cases, same: cases.map(({ text, code }) => ({ text: ` ${text.toLowerCase()} `, code })) };
}

export function link() {
  const [id, secret, vaultKey, nonce] = [own("l", 16), own("s"), own("v"), own("ln", 24)];
  const packet = sealLink(id, secret, { vault_key: vaultKey, name: B.name }, drawn(nonce));
  return {
    id: toHex(id),
    secret: toHex(secret),
    fragment: linkFragment(id, secret),
    vault_key: toHex(vaultKey),
    name: B.name,
    nonce: toHex(nonce),
    packet: toHex(packet),
  };
}

export async function record() {
  const vaultKey = own("vault");
  const keys = await openVault(vaultKey);
  const values: [string, number, Value][] = [
    ["me", 1, { name: "ann", seen: [1, -2, null, true] }],
    ["log/\u00e4/7", 3, own("blob", 700)],
    ["large", 2 ** 40 + 1, { list: Array.from({ length: 300 }, (_, at) => at * 977) }],
    ["numbers", 2, [2n ** 64n - 1n, -(2n ** 64n), 2 ** 53 - 1, -(2 ** 53) + 1]],
  ];
  const records = [];
  for (const [name, version, value] of values) {
    const [id, nonce] = [recordId(keys, name), own(`record ${name}`, 12)];
    const data = toHex(await sealRecord(keys, id, version, value, drawn(nonce)));
    records.push({ name, id: toHex(id), version, nonce: toHex(nonce), value: cbor(value), data });
  }
  return { vault_key: toHex(vaultKey), records, padded: [] };
}

export function safety() {
  return {
    identities: [toHex(A.identity), toHex(B.identity)],
    digits: safetyNumber(A.identity, B.identity),
    code: safetyQr(A.identity, B.identity),
  };
}
