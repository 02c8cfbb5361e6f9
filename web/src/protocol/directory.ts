/** The directory on the wire: entries, bundles, one-time prekeys, and the proofs of the transparency log. As `appliance/protocol/directory.py` has them. */
import type { Route, WorkChallenge, WorkSolution } from "./route.ts";

export const MAX_ROUTES = 8;

/** One-time prekeys a box keeps for one device. */
export const MAX_ONE_TIME = 100;

export const MAX_ENTRY_OCTETS = 4096;

export const MAX_BUNDLE_OCTETS = 4096;

export const VERSION = 1;

/** One device of an account: its id, Ed25519 signing key, X25519 identity key, hour it was added. */
export interface Device {
  device: Uint8Array;
  signing: Uint8Array;
  agreement: Uint8Array;
  added_hour: number;
}

/**
 * Who a name is (SPEC.md, "Directory"). Signed by `identity`, context "entry"; a leaf of the log.
 *
 * `revision` rises by one with every change. An account that was deleted has no devices.
 */
export interface Entry {
  version: number;
  name: string;
  onion: Uint8Array;
  identity: Uint8Array;
  revision: number;
  issued_hour: number;
  devices: Device[];
}

/**
 * A device's lasting prekeys and the routes to its request mailbox.
 *
 * Signed by the device's signing key, context "bundle".
 */
export interface Bundle {
  version: number;
  identity: Uint8Array;
  device: Uint8Array;
  prekey_id: number;
  prekey: Uint8Array;
  kem_id: number;
  kem: Uint8Array;
  routes: Route[];
  issued_hour: number;
}

/**
 * A prekey pair that serves once.
 *
 * `signature` is by the device's signing key, context "one-time prekey", over CBOR [device, id, key, kem].
 */
export interface OneTimePrekey {
  id: number;
  key: Uint8Array;
  kem: Uint8Array;
  signature: Uint8Array;
}

/** A C2SP signed note of the log, as text (SPEC.md, "Transparency log"). */
export interface Checkpoint {
  note: string;
}

/** Leaf `index` is in the tree of `checkpoint`; `consistency` from the caller's older size, if asked. */
export interface Proof {
  index: number;
  hashes: Uint8Array[];
  checkpoint: string;
  consistency: Uint8Array[] | null;
}

/** Ask for a name of this box; `size` is the tree size of the last checkpoint one has seen. */
export interface LookUp {
  name: string;
  size?: number;
}

/** The signed entry with its proof, and each device's signed bundle. */
export interface Found {
  entry: Uint8Array;
  proof: Proof;
  bundles: Uint8Array[];
}

/** Take one one-time prekey of each named device; strangers show work when the box asks for it. */
export interface TakePrekeys {
  name: string;
  devices: Uint8Array[];
  work?: WorkSolution | null;
}

/** A device's one-time prekey, or none: then its last-resort key serves. */
export interface TakenPrekey {
  device: Uint8Array;
  prekey: OneTimePrekey | null;
}

/** One-time prekeys, gone from the box for good; `work` when the next taking needs a puzzle. */
export interface Taken {
  prekeys: TakenPrekey[];
  work: WorkChallenge | null;
}

/** Ask one's own box to look somebody up at theirs, over Tor where that is another box. */
export interface FarLookUp {
  address: string;
  size?: number;
}

/** The same for one-time prekeys. */
export interface FarTake {
  address: string;
  devices: Uint8Array[];
}

/**
 * A member's writes: a new signed entry, bundle, one-time prekeys; what is left out stays.
 *
 * The box verifies every signature, that the entry is the account's (name, onion, identity) and that its
 * revision follows. `replace` drops the one-time prekeys that were there.
 */
export interface Publish {
  entry?: Uint8Array | null;
  bundle?: Uint8Array | null;
  one_time?: OneTimePrekey[];
  replace?: boolean;
}

/** How many one-time prekeys the device has now, and the proof of the entry that holds. */
export interface Published {
  one_time: number;
  entry: Uint8Array | null;
  proof: Proof | null;
}

/** Ask for the proof that the tree of `first` leaves is a prefix of that of `second` (0: the present). */
export interface ConsistencyQuery {
  first: number;
  second?: number;
}

/** The same of somebody's box, by one's own; the name is not sent on. */
export interface FarConsistency {
  address: string;
  first: number;
  second?: number;
}

/** A consistency proof (RFC 6962 §2.1.2) to the tree of `checkpoint`. */
export interface Consistency {
  hashes: Uint8Array[];
  checkpoint: string;
}

/** A stretch of the log: signed entries in order, from `start` on. */
export interface Leaves {
  start: number;
  entries: Uint8Array[];
  more: boolean;
}
