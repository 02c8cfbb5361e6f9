/** Made for Python: entries, prekeys, certificates, and a log with its proofs. */
import { createHash, createPrivateKey, sign } from "node:crypto";
import { toHex } from "../../../src/protocol/bytes.ts";
import type { Entry } from "../../../src/protocol/directory.ts";
import { address } from "../../../src/protocol/onion.ts";
import { signBundle, signEntry } from "../../../src/protocol/prekeys.ts";
import { rootOf } from "../../../src/protocol/transparency.ts";
import { A, B, BOX_SEED, HOUR, ONION, cbor, own } from "./cast.ts";

export function prekeys() {
  const entry: Entry = {
    version: 1,
    name: A.name,
    onion: ONION,
    identity: A.identity,
    revision: 41,
    issued_hour: HOUR,
    devices: [A.device, { ...B.device, added_hour: 0 }],
  };
  return {
    identity_seed: toHex(A.identitySeed),
    signing_seed: toHex(A.signingSeed),
    entry: cbor(entry),
    signed_entry: toHex(signEntry(A.identitySeed, entry)),
    lasting: cbor(A.lasting),
    bundle: cbor(A.bundle),
    signed_bundle: toHex(signBundle(A.signingSeed, A.bundle)),
    one_time: [1, 70_000].map((id) => {
      const { secret, prekey } = A.oneTime(id);
      return { secret: cbor(secret), prekey: cbor(prekey) };
    }),
  };
}

export function certificate() {
  return {
    identity_seed: toHex(A.identitySeed),
    certificate: cbor({ version: 1, identity: A.identity, ...A.about }),
    signed: toHex(A.certificate),
    good_hours: [HOUR - 24, HOUR, HOUR + 101],
  };
}

export function transparency() {
  const leaves = Array.from({ length: 13 }, (_, at) => own(`leaf ${at}`, 70 + at));
  const sizes = leaves.map((_, at) => at + 1);
  const root = rootOf(leaves);
  return {
    leaves: leaves.map(toHex),
    roots: [0, ...sizes].map((size) => toHex(rootOf(leaves.slice(0, size)))),
    inclusion: sizes.flatMap((size) =>
      leaves.slice(0, size).map((_, index) => ({
        index,
        size,
        hashes: inclusion(index, leaves.slice(0, size)).map(toHex),
      })),
    ),
    consistency: sizes.map((first) => ({
      first,
      second: leaves.length,
      hashes: first === leaves.length ? [] : consistency(first, leaves, true).map(toHex),
    })),
    checkpoint: {
      box_seed: toHex(BOX_SEED),
      origin: `${address(ONION)}/directory`,
      size: leaves.length,
      root: toHex(root),
      note: signNote(BOX_SEED, ONION, leaves.length, root),
    },
  };
}

/** A checkpoint signed by Node's own Ed25519. */
export function signNote(boxSeed: Uint8Array, box: Uint8Array, size: number, root: Uint8Array): string {
  const origin = `${address(box)}/directory`;
  const body = `${origin}\n${size}\n${Buffer.from(root).toString("base64")}\n`;
  const prefix = Buffer.from("302e020100300506032b657004220420", "hex");
  const key = createPrivateKey({ key: Buffer.concat([prefix, boxSeed]), format: "der", type: "pkcs8" });
  const name = createHash("sha256").update(`${origin}\n\u0001`).update(box).digest().subarray(0, 4);
  const signature = Buffer.concat([name, sign(null, Buffer.from(body), key)]).toString("base64");
  return `${body}\n\u2014 ${origin} ${signature}\n`;
}

/** RFC 6962, section 2.1.1, as it is written there. */
export function inclusion(index: number, leaves: Uint8Array[]): Uint8Array[] {
  if (leaves.length === 1) return [];
  const k = split(leaves.length);
  const [left, right] = [leaves.slice(0, k), leaves.slice(k)];
  if (index < k) return [...inclusion(index, left), rootOf(right)];
  return [...inclusion(index - k, right), rootOf(left)];
}

/** RFC 6962, section 2.1.2. */
export function consistency(first: number, leaves: Uint8Array[], whole: boolean): Uint8Array[] {
  if (first === leaves.length) return whole ? [] : [rootOf(leaves)];
  const k = split(leaves.length);
  const [left, right] = [leaves.slice(0, k), leaves.slice(k)];
  if (first <= k) return [...consistency(first, left, whole), rootOf(right)];
  return [...consistency(first - k, right, false), rootOf(left)];
}

/** The largest power of two below. */
function split(count: number): number {
  let k = 1;
  while (k * 2 < count) k *= 2;
  return k;
}
