/** Signed values: signature(64) ‖ deterministic CBOR of a map with a version. */
import { concat } from "./bytes.ts";
import { decode, encode, type Value } from "./cbor.ts";
import { SIGNATURE_SIZE, sign, verify } from "./keys.ts";
import type { Claim } from "./manySignatures.ts";
import { Refusal, refusing, type Code } from "./refusal.ts";
import { isInteger, isMap, type Shape } from "./shape.ts";

/** The version of every signed value here. */
export const VERSION = 1;
/** Octets of a signed value. */
export const MAX_SIGNED = 4096;

/** A value as it travels. */
export function write(seed: Uint8Array, context: string, value: object): Uint8Array<ArrayBuffer> {
  const body = encode(value);
  return concat(sign(seed, context, body), body);
}

/** The value, its signature checked under `key(value)`; Refusal `code`, or unknown_version for a newer one. */
export function read<T>(
  signed: Uint8Array,
  context: string,
  shape: Shape<T>,
  key: (value: T) => Uint8Array,
  code: Code,
): T {
  const { value, ...one } = claim(signed, context, shape, key, code);
  refusing(code, () => verify(one.key, one.signature, context, one.message));
  return value;
}

/** The value, and the signature that is still to be checked: many at once are (manySignatures.ts). */
export function claim<T>(
  signed: Uint8Array,
  context: string,
  shape: Shape<T>,
  key: (value: T) => Uint8Array,
  code: Code,
): Claim & { readonly value: T } {
  return refusing(code, () => {
    if (signed.length > MAX_SIGNED) throw new Refusal(code);
    const message = signed.subarray(SIGNATURE_SIZE);
    const decoded = decode(message);
    if (isNewer(decoded)) throw new Refusal("unknown_version");
    const value = shape(decoded);
    return { value, key: key(value), signature: signed.subarray(0, SIGNATURE_SIZE), context, message };
  });
}

function isNewer(value: Value): boolean {
  return isMap(value) && isInteger(value.version) && value.version > VERSION;
}
