/** From a passphrase to keys: stretched by Argon2id, split in one that is shown to the box and one that wraps the vault key. */
import { argon2idAsync } from "@noble/hashes/argon2.js";
import type { Kdf } from "./account.ts";
import * as aead from "./aead.ts";
import { concat, utf8 } from "./bytes.ts";
import { derive, domain, type Random } from "./keys.ts";
import { Refusal } from "./refusal.ts";

/** Six seconds where scripts are not compiled, a quarter of one elsewhere. */
export const DEFAULT_KDF = { memory_kib: 19_456, passes: 2 };
export const STRONG_KDF = { memory_kib: 65_536, passes: 3 };

const SALT_SIZE = 16;
const MAX_MEMORY_KIB = 1 << 20;
const MAX_PASSES = 16;
const WRAPPED_SIZE = 72;
/** Milliseconds of work between two moments at which others get a turn. */
const SLICE = 50;

/** `authentication` proves the passphrase to the box, `wrapping` opens the vault key and is never sent. */
export interface Stretched {
  authentication: Uint8Array;
  wrapping: Uint8Array;
}

/** Both keys of a passphrase; `progress` hears the share done, 0 to 1. Refusal bad_setting for absurd parameters. */
export async function stretch(
  passphrase: string,
  kdf: Kdf,
  progress?: (share: number) => void,
): Promise<Stretched> {
  const { salt, memory_kib, passes } = kdf;
  const bounded =
    salt.length === SALT_SIZE && within(memory_kib, 8, MAX_MEMORY_KIB) && within(passes, 1, MAX_PASSES);
  if (!bounded) throw new Refusal("bad_setting");
  const master = await argon2idAsync(utf8(passphrase.normalize("NFKC")), salt, {
    m: memory_kib,
    t: passes,
    p: 1,
    dkLen: 32,
    maxmem: 2 ** 31,
    asyncTick: SLICE,
    ...(progress && { onProgress: progress }),
  });
  return { authentication: derive(master, "authentication"), wrapping: derive(master, "wrapping") };
}

/** The vault key under a wrapping key, for this account only: 72 bytes. */
export function wrapVaultKey(
  wrapping: Uint8Array,
  account: Uint8Array,
  vaultKey: Uint8Array,
  random: Random,
): Uint8Array {
  return aead.seal(wrapping, concat(domain("vault key"), account), vaultKey, random);
}

/** The vault key again; Refusal not_opened. */
export function unwrapVaultKey(wrapping: Uint8Array, account: Uint8Array, wrapped: Uint8Array): Uint8Array {
  if (wrapped.length !== WRAPPED_SIZE) throw new Refusal("not_opened");
  return aead.mustOpen(wrapping, concat(domain("vault key"), account), wrapped);
}

function within(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}
