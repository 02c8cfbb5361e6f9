/** Vault records: values sealed one by one under blind ids. The browser's own AES does the work. */
import { concat, u64, utf8 } from "./bytes.ts";
import { decode, encode, type Value } from "./cbor.ts";
import { pad, padme, unpad } from "./envelope.ts";
import { derive, domain, mac, type Random } from "./keys.ts";
import { Refusal, refusing } from "./refusal.ts";
import { MAX_RECORD } from "./vault.ts";

const FORMAT = 1;
const NONCE_SIZE = 12;
const TAG_SIZE = 16;
const ID_SIZE = 16;
const LEAST = 64;
const OVERHEAD = 1 + NONCE_SIZE + TAG_SIZE;

/** The keys that one vault key gives. */
export interface VaultKeys {
  readonly names: Uint8Array;
  readonly records: CryptoKey;
}

/** The keys of a vault. */
export async function openVault(vaultKey: Uint8Array): Promise<VaultKeys> {
  const raw = new Uint8Array(derive(vaultKey, "vault records"));
  const records = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
  return { names: derive(vaultKey, "vault names"), records };
}

/** The blind id of the record with this name. */
export function recordId(keys: VaultKeys, name: string): Uint8Array {
  return mac(keys.names, utf8(name)).slice(0, ID_SIZE);
}

/** The data of a record in the version it is to have (base + 1), its value whatever CBOR takes. Refusal too_large. */
export async function sealRecord(
  keys: VaultKeys,
  id: Uint8Array,
  version: number,
  value: unknown,
  random: Random,
): Promise<Uint8Array<ArrayBuffer>> {
  const content = encode(value);
  const size = Math.max(LEAST, padme(content.length + 1));
  if (OVERHEAD + size > MAX_RECORD) throw new Refusal("too_large");
  const padded = pad(content, size);
  const nonce = concat(random(NONCE_SIZE));
  const sealed = await crypto.subtle.encrypt(algorithm(nonce, id, version), keys.records, padded);
  return concat(Uint8Array.of(FORMAT), nonce, new Uint8Array(sealed));
}

/** The value in a record's data; Refusal not_opened, or unknown_version. */
export async function openRecord(
  keys: VaultKeys,
  id: Uint8Array,
  version: number,
  data: Uint8Array,
): Promise<Value> {
  if (data.length > 0 && data[0]! > FORMAT) throw new Refusal("unknown_version");
  const sized = data.length >= OVERHEAD + LEAST && data.length <= MAX_RECORD;
  if (!sized || data[0] !== FORMAT) throw new Refusal("not_opened");
  const nonce = data.slice(1, 1 + NONCE_SIZE);
  let padded: ArrayBuffer;
  try {
    const sealed = data.slice(1 + NONCE_SIZE);
    padded = await crypto.subtle.decrypt(algorithm(nonce, id, version), keys.records, sealed);
  } catch {
    throw new Refusal("not_opened");
  }
  return refusing("not_opened", () => decode(unpad(new Uint8Array(padded))));
}

function algorithm(nonce: Uint8Array<ArrayBuffer>, id: Uint8Array, version: number): AesGcmParams {
  return {
    name: "AES-GCM",
    iv: nonce,
    additionalData: concat(domain("vault record"), id, u64(version)),
    tagLength: TAG_SIZE * 8,
  };
}
