/** The vault key in this browser: sealed by a key that scripts cannot read out, or not kept at all. */
import { random } from "../random.ts";
import type { Locker } from "../locker.ts";

interface Kept {
  account: string;
  key: CryptoKey;
  nonce: Uint8Array<ArrayBuffer>;
  sealed: Uint8Array<ArrayBuffer>;
}

const NAME = "vault-key";

/** Keep the vault key of `account`; whether it will be there after a restart. */
export async function keepKey(locker: Locker, account: string, vaultKey: Uint8Array): Promise<boolean> {
  try {
    const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, [
      "encrypt",
      "decrypt",
    ]);
    const nonce = random(12);
    const plain = new Uint8Array(vaultKey);
    const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce }, key, plain));
    await locker.put(NAME, { account, key, nonce, sealed } satisfies Kept);
  } catch {
    return false;
  }
  return locker.lasting();
}

/** The vault key of `account`, if this browser still has it. */
export async function findKey(locker: Locker, account: string): Promise<Uint8Array | undefined> {
  const kept = await locker.get<Kept>(NAME);
  if (kept?.account !== account) return undefined;
  try {
    const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv: kept.nonce }, kept.key, kept.sealed);
    return new Uint8Array(plain);
  } catch {
    return undefined;
  }
}
