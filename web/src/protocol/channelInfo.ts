/** The title and topic of a private channel, sealed under a key that its members give one another. */
import { openWith, sealWith, NONCE_SIZE } from "./aead.ts";
import { concat, equal } from "./bytes.ts";
import { decode, encode } from "./cbor.ts";
import { pad, padme, unpad } from "./envelope.ts";
import { domain, hash, type Random } from "./keys.ts";
import { Refusal, refusing } from "./refusal.ts";
import { isPlainInfo, readPlainInfo, type Info } from "./roster.ts";

const KEY_ID = 8;
const SMALLEST = 256;

/** The name of an info key: whoever is given one sees for which info it is. */
export function keyId(key: Uint8Array): Uint8Array {
  return hash(domain("info key"), key).slice(0, KEY_ID);
}

/** key id(8) ‖ nonce(24) ‖ ciphertext; Refusal bad_roster for what nobody would show. */
export function sealInfo(
  key: Uint8Array,
  channel: Uint8Array,
  info: Info,
  random: Random,
): Uint8Array<ArrayBuffer> {
  if (!isPlainInfo(info)) throw new Refusal("bad_roster");
  const body = encode(info);
  const padded = pad(body, Math.max(SMALLEST, padme(body.length + 1)));
  const nonce = random(NONCE_SIZE);
  return concat(keyId(key), nonce, sealWith(key, nonce, concat(domain("channel info"), channel), padded));
}

/** Title and topic; Refusal not_opened when the key is another one, or they are none. */
export function openInfo(key: Uint8Array, channel: Uint8Array, sealed: Uint8Array): Info {
  return refusing("not_opened", () => {
    const [id, nonce] = [sealed.subarray(0, KEY_ID), sealed.subarray(KEY_ID, KEY_ID + NONCE_SIZE)];
    if (!equal(id, keyId(key))) throw new Refusal("not_opened");
    const bound = concat(domain("channel info"), channel);
    const padded = openWith(key, nonce, bound, sealed.subarray(KEY_ID + NONCE_SIZE));
    if (!padded) throw new Refusal("not_opened");
    return readPlainInfo(decode(unpad(padded)));
  });
}
