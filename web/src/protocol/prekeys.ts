/**
 * What a device shows of itself: the account's entry, the device's bundle, its one-time prekeys.
 *
 * The identity signs the entry, the entry names each device's signing key, and that key signs the device's
 * bundle and prekeys: nothing else is trusted.
 */
import { equal } from "./bytes.ts";
import { encode } from "./cbor.ts";
import {
  MAX_ROUTES,
  VERSION,
  type Bundle,
  type Device,
  type Entry,
  type OneTimePrekey,
} from "./directory.ts";
import {
  KEM_PUBLIC_SIZE,
  KEM_SEED_SIZE,
  SIGNATURE_SIZE,
  agreementPublic,
  isKemPublic,
  isPrimeOrder,
  kemPublic,
  sign,
  verify,
  type Random,
} from "./keys.ts";
import { NAME } from "./names.ts";
import { Refusal, refusing } from "./refusal.ts";
import { ROUTE } from "./route.ts";
import { bytes, integer, list, map } from "./shape.ts";
import * as signed from "./signed.ts";

/** After so many hours a device makes a new lasting prekey and last-resort key, and for so long it keeps the old. */
export const ROTATE_HOURS = 7 * 24;
export const KEEP_HOURS = 30 * 24;

const MAX_DEVICES = 16;
const U32 = 0xffff_ffff;
const HOUR = integer(0, U32);
const PREKEY_ID = integer(1, U32);
const KEM = bytes(KEM_PUBLIC_SIZE);

const DEVICE = map({ device: bytes(16), signing: bytes(32), agreement: bytes(32), added_hour: HOUR });
const ENTRY = map({
  version: integer(VERSION, VERSION),
  name: NAME,
  onion: bytes(32),
  identity: bytes(32),
  revision: integer(1),
  issued_hour: HOUR,
  devices: list(DEVICE, MAX_DEVICES),
});
const BUNDLE = map({
  version: integer(VERSION, VERSION),
  identity: bytes(32),
  device: bytes(16),
  prekey_id: PREKEY_ID,
  prekey: bytes(32),
  kem_id: PREKEY_ID,
  kem: KEM,
  routes: list(ROUTE, MAX_ROUTES),
  issued_hour: HOUR,
});
const ONE_TIME = map({ id: PREKEY_ID, key: bytes(32), kem: KEM, signature: bytes(SIGNATURE_SIZE) });

/** The secret halves of a bundle's prekey (32-byte seed) and last-resort KEM key (64); both go by `prekey_id`. */
export interface LastingSecret {
  readonly prekey_id: number;
  readonly prekey: Uint8Array;
  readonly kem_id: number;
  readonly kem: Uint8Array;
  readonly issued_hour: number;
}

/** The secret halves of a one-time prekey; removed with the message that used it. */
export interface OneTimeSecret {
  readonly id: number;
  readonly prekey: Uint8Array;
  readonly kem: Uint8Array;
}

/** What an entry is compared with: fields that are left out are not compared. */
export interface Wanted {
  name?: string;
  onion?: Uint8Array;
  identity?: Uint8Array;
  /**
   * Whom one knew there. An earlier entry of the same identity is refused, since what was replaced stays in the
   * log; that it is another identity is for the caller to see.
   */
  known?: { identity: Uint8Array; revision: number };
}

/** The entry as it travels, signed by the identity. */
export function signEntry(identitySeed: Uint8Array, entry: Entry): Uint8Array {
  return signed.write(identitySeed, "entry", entry);
}

/** The entry in these bytes, and that it is the one wanted; Refusal bad_entry, old_entry or unknown_version. */
export function readEntry(data: Uint8Array, want: Wanted = {}): Entry {
  const entry = signed.read(data, "entry", ENTRY, (value) => value.identity, "bad_entry");
  const ids = new Set(entry.devices.map((device) => String(device.device)));
  const sound =
    ids.size === entry.devices.length &&
    isPrimeOrder(entry.onion) &&
    entry.devices.every((device) => isPrimeOrder(device.signing));
  const wanted =
    (want.name === undefined || want.name === entry.name) &&
    (!want.onion || equal(want.onion, entry.onion)) &&
    (!want.identity || equal(want.identity, entry.identity));
  if (!sound || !wanted) throw new Refusal("bad_entry");
  const { known } = want;
  if (known && equal(known.identity, entry.identity) && entry.revision < known.revision)
    throw new Refusal("old_entry");
  return entry;
}

/** The bundle as it travels, signed by the device. */
export function signBundle(signingSeed: Uint8Array, bundle: Bundle): Uint8Array {
  return signed.write(signingSeed, "bundle", bundle);
}

/** The bundle of one of the entry's devices; Refusal bad_bundle or unknown_version. */
export function readBundle(data: Uint8Array, entry: Entry): Bundle {
  const signer = (bundle: Bundle) => deviceOf(entry, bundle.device).signing;
  const bundle = signed.read(data, "bundle", BUNDLE, signer, "bad_bundle");
  const sound =
    equal(bundle.identity, entry.identity) &&
    isKemPublic(bundle.kem) &&
    bundle.routes.every((route) => isPrimeOrder(route.onion));
  if (!sound) throw new Refusal("bad_bundle");
  return bundle;
}

/** The entry's device with this id; Refusal bad_bundle when it has none. */
export function deviceOf(entry: Entry, id: Uint8Array): Device {
  const found = entry.devices.find((device) => equal(device.device, id));
  if (!found) throw new Refusal("bad_bundle");
  return found;
}

/** A new lasting prekey and last-resort key. */
export function makeLasting(prekeyId: number, kemId: number, hour: number, random: Random): LastingSecret {
  const prekey = random(32);
  return { prekey_id: prekeyId, prekey, kem_id: kemId, kem: random(KEM_SEED_SIZE), issued_hour: hour };
}

/** The bundle that shows the public halves of a device's lasting secrets. */
export function bundleOf(
  identity: Uint8Array,
  device: Uint8Array,
  lasting: LastingSecret,
  routes: Bundle["routes"],
  hour: number,
): Bundle {
  return {
    version: VERSION,
    identity,
    device,
    prekey_id: lasting.prekey_id,
    prekey: agreementPublic(lasting.prekey),
    kem_id: lasting.kem_id,
    kem: kemPublic(lasting.kem),
    routes,
    issued_hour: hour,
  };
}

/** A new one-time prekey: the secret to keep and the signed half to publish. */
export function makeOneTime(
  device: Uint8Array,
  signingSeed: Uint8Array,
  id: number,
  random: Random,
): { secret: OneTimeSecret; prekey: OneTimePrekey } {
  const secret = { id, prekey: random(32), kem: random(KEM_SEED_SIZE) };
  const shown = { id, key: agreementPublic(secret.prekey), kem: kemPublic(secret.kem) };
  const signature = sign(signingSeed, "prekey", oneTimeMessage(device, shown));
  return { secret, prekey: { ...shown, signature } };
}

/** `count` of them from the id `first` on; waits for `pause` after each, so that others get a turn. */
export async function makeOneTimes(
  device: Uint8Array,
  signingSeed: Uint8Array,
  first: number,
  count: number,
  random: Random,
  pause: (made: number) => Promise<void>,
): Promise<{ secrets: OneTimeSecret[]; prekeys: OneTimePrekey[] }> {
  const secrets: OneTimeSecret[] = [];
  const prekeys: OneTimePrekey[] = [];
  for (let made = 0; made < count; made++) {
    const { secret, prekey } = makeOneTime(device, signingSeed, first + made, random);
    secrets.push(secret);
    prekeys.push(prekey);
    await pause(made + 1);
  }
  return { secrets, prekeys };
}

/** Refusal bad_bundle unless the device signed this prekey and its KEM key is one. */
export function checkOneTime(prekey: OneTimePrekey, device: Device): void {
  refusing("bad_bundle", () => {
    const { signature } = ONE_TIME({ ...prekey });
    verify(device.signing, signature, "prekey", oneTimeMessage(device.device, prekey));
  });
  if (!isKemPublic(prekey.kem)) throw new Refusal("bad_bundle");
}

function oneTimeMessage(device: Uint8Array, shown: Omit<OneTimePrekey, "signature">): Uint8Array {
  return encode([device, shown.id, shown.key, shown.kem]);
}
