import { describe, expect, test } from "vitest";
import { utf8 } from "../../src/protocol/bytes.ts";
import {
  agree,
  agreementPublic,
  decapsulate,
  encapsulate,
  hkdf,
  isKemPublic,
  isPrimeOrder,
  kemPublic,
  sign,
  signingPublic,
  verify,
} from "../../src/protocol/keys.ts";
import { hex, refusalOf, seed, vectors } from "../vectors.ts";

interface Signatures {
  signed: { seed: string; public: string; context: string; message: string; signature: string }[];
  refused: { why: string; public: string; signature: string; message: string }[];
}
interface Keys {
  sealing: { x25519_seed: string; kem_seed: string; x25519: string; kem: string };
  hkdf: { secret: string; salt: string; info: string; length: number; output: string }[];
}
const signatures = vectors<Signatures>("signatures");
const keys = vectors<Keys>("keys");

test.each(signatures.signed)("signature %#", (one) => {
  const [key, message] = [hex(one.public), hex(one.message)];
  expect(signingPublic(hex(one.seed))).toEqual(key);
  expect(sign(hex(one.seed), one.context, message)).toEqual(hex(one.signature));
  verify(key, hex(one.signature), one.context, message);
});

test.each(signatures.refused)("refused: $why", (one) => {
  const check = () => verify(hex(one.public), hex(one.signature), "vector", hex(one.message));
  expect(refusalOf(check)).toBe("signature");
  // The second time the key may be remembered.
  expect(refusalOf(check)).toBe("signature");
});

test("public keys of seeds", () => {
  expect(agreementPublic(hex(keys.sealing.x25519_seed))).toEqual(hex(keys.sealing.x25519));
  expect(kemPublic(hex(keys.sealing.kem_seed))).toEqual(hex(keys.sealing.kem));
});

test.each(keys.hkdf)("HKDF %#", (one) => {
  expect(hkdf(hex(one.secret), hex(one.salt), hex(one.info), one.length)).toEqual(hex(one.output));
});

/** Every encoding of a u-coordinate whose order divides eight, in the field and above it. */
const LOW_ORDER = [
  "00".repeat(32),
  `01${"00".repeat(31)}`,
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  `ec${"ff".repeat(30)}7f`,
  `ed${"ff".repeat(30)}7f`,
  `ee${"ff".repeat(30)}7f`,
  `ec${"ff".repeat(31)}`,
];

test.each(LOW_ORDER)("no agreement with %s", (key) => {
  expect(refusalOf(() => agree(seed("a"), hex(key)))).toBe("malformed");
});

test("the top bit of an X25519 key means nothing", () => {
  const key = agreementPublic(seed("b"));
  const marked = key.slice();
  marked[31]! |= 0x80;
  expect(agree(seed("a"), marked)).toEqual(agree(seed("a"), key));
  expect(agree(seed("a"), key)).toEqual(agree(seed("b"), agreementPublic(seed("a"))));
});

describe("ML-KEM-768", () => {
  const kem = kemPublic(seed("kem", 64));

  test("both ends come to one secret", () => {
    const { secret, ciphertext } = encapsulate(kem, seed("coins"));
    expect(decapsulate(seed("kem", 64), ciphertext)).toEqual({ secret, public: kem });
    ciphertext[7]! ^= 1;
    expect(decapsulate(seed("kem", 64), ciphertext).secret).not.toEqual(secret);
  });

  test("a coefficient of the modulus or more is no key", () => {
    expect(isKemPublic(kem)).toBe(true);
    expect(isKemPublic(kem.subarray(1))).toBe(false);
    for (const at of [0, 1, 700, 1149]) {
      const wrong = kem.slice();
      wrong.set([0xff, 0xff], at);
      expect(isKemPublic(wrong)).toBe(false);
      expect(refusalOf(() => encapsulate(wrong, seed("coins")))).toBe("malformed");
    }
  });

  test("what the check takes is what the library takes", () => {
    for (const [low, good] of [
      [3328, true],
      [3329, false],
    ] as const) {
      const key = kem.slice();
      key[0] = low & 255;
      key[1] = (key[1]! & 0xf0) | (low >> 8);
      expect(isKemPublic(key)).toBe(good);
      expect(refusalOf(() => encapsulate(key, seed("coins")))).toBe(good ? "none" : "malformed");
    }
  });
});

test("a key of prime order is one, its neighbours mostly not", () => {
  expect(isPrimeOrder(signingPublic(seed("a")))).toBe(true);
  expect(isPrimeOrder(utf8("x".repeat(31)))).toBe(false);
});
