/** Every value of the owner's desk, as `appliance/protocol/desk.py` defines it. Ids are base64url text, times Unix seconds. */
import type { Registration, Role } from "./account.ts";

/** What Tor is doing, in words; `percent` counts the bootstrap, `skew_seconds` a wrong clock. */
export interface TorState {
  phase: "off" | "starting" | "bootstrapping" | "publishing" | "reachable" | "restarting" | "failed";
  percent: number;
  words: string;
  version: string;
  source: "system" | "bundled" | "none";
  age_days: number | null;
  outdated: boolean;
  skew_seconds: number | null;
  problem: string | null;
}

/** The relay in one line. */
export interface RelayBrief {
  policy: string;
  held: number;
  octets: number;
  octets_limit: number;
}

/**
 * Everything the first page needs; long-polled by `revision`.
 *
 * `name` and `role` are of who is signed in; at the control socket without a sign-in, the first owner's.
 * `branding` is the revision of `Branding`.
 */
export interface State {
  revision: number;
  version: string;
  time: number;
  claimed: boolean;
  locked: boolean;
  signed_in: boolean;
  relay_only: boolean;
  address: string;
  tor: TorState;
  protected: boolean;
  name: string;
  role: Role | null;
  relay: RelayBrief | null;
  branding: string;
}

/** What the box is called, at its door. */
export interface NewTitle {
  name: string;
}

export type Accent = "sea" | "forest" | "plum" | "clay" | "slate";

/** How the box shows itself to everybody; another `revision` means that something changed. */
export interface Branding {
  revision: string;
  box_name: string;
  welcome: string;
  policy: string;
  accent: Accent;
  registration: Registration;
  boards: boolean;
  channels: boolean;
}

/** Change what is given of it. */
export interface ChangeBranding {
  box_name?: string | null;
  welcome?: string | null;
  policy?: string | null;
  accent?: Accent | null;
  registration?: Registration | null;
  boards?: boolean | null;
  channels?: boolean | null;
}

/** Whether the store key is wrapped by an owner's authentication key, so that the box starts locked. */
export interface Protection {
  authentication: string;
  protect: boolean;
}

/** Who this box is: onion address, name, safety words. */
export interface Identity {
  address: string;
  name: string;
  fingerprint: string;
}

/** Envelopes that expire on one day (UTC date, ISO). */
export interface ExpiryDay {
  day: string;
  envelopes: number;
  octets: number;
}

/** A grant as its giver sees it; the secret is never shown again. */
export interface GrantRow {
  id: string;
  label: string;
  origin: "owner" | "work" | "peer" | "self";
  mailboxes: number;
  mailboxes_limit: number;
  octets: number;
  octets_limit: number;
  created: number;
  expires: number;
}

/** What this relay holds for others and when it goes. */
export interface RelayLoad {
  policy: string;
  held: number;
  octets: number;
  octets_limit: number;
  disk_free: number;
  mailboxes: number;
  days: ExpiryDay[];
  grants: GrantRow[];
}

/** Invite somebody to keep mailboxes here. */
export interface NewGrant {
  label: string;
  mailboxes?: number;
  octets?: number;
  days?: number;
}

/** The invitation to hand over: relay address and secret in one line, shown once. */
export interface GrantCode {
  id: string;
  code: string;
}

/** Keep mailboxes at this relay; `code` is an invitation ("address/secret") or just its address. */
export interface UseRelay {
  code: string;
}

/** A relay this box uses. */
export interface UsedRelay {
  address: string;
  state: "joining" | "ready" | "refused" | "unreachable";
  words: string;
  mailboxes: number;
  /** Mailboxes that wait for room there. */
  waiting: number;
  last_collected: number | null;
}

/** Relays this box uses. */
export interface UsedRelays {
  relays: UsedRelay[];
}

/** Let one more reader in; without `key` (x25519 public, base32) the box makes a pair. */
export interface NewReader {
  name: string;
  key?: string;
}

/** A reader of the closed onion; `private_key` only in the answer that made it. */
export interface Reader {
  name: string;
  key: string;
  private_key: string | null;
}

/** Who may read the onion's descriptor; empty means everyone. */
export interface Readers {
  readers: Reader[];
}

/** Our own key to somebody else's closed onion (x25519 private, base32). */
export interface NewReaderKey {
  address: string;
  key: string;
}

/** Closed onions we hold a key for. */
export interface ReaderKeys {
  addresses: string[];
}

/** One thing that is watched: `state` and a sentence. */
export interface HealthRow {
  name: string;
  state: "good" | "warning" | "bad" | "off";
  words: string;
}

/**
 * How one route does: answers with half, 95 and 99 of a hundred within so many microseconds.
 *
 * Answers that wait for news are not timed.
 */
export interface Endpoint {
  route: string;
  requests: number;
  refused: number;
  faults: number;
  p50_us: number;
  p95_us: number;
  p99_us: number;
}

/** What the box forgot when it minimised last, at `second`; 0 if it never did. */
export interface Minimised {
  second: number;
  milliseconds: number;
  coarsened: Record<string, number>;
  pages: number;
  gaps: number;
  blanked: boolean;
}

/** Health of the box: store, Tor, tasks, disk, memory, errors by endpoint. */
export interface Health {
  rows: HealthRow[];
  uptime_seconds: number;
  memory_octets: number;
  refusals: Record<string, number>;
  faults: number;
  endpoints: Endpoint[];
}

/** One setting with its default and its meaning. */
export interface Setting {
  name: string;
  value: unknown;
  default: unknown;
  unit: string;
  doc: string;
  live: boolean;
  choices: string[] | null;
}

/** Every setting; `restart` when a change waits for one. */
export interface Settings {
  settings: Setting[];
  restart: boolean;
}

/** New values by name; null goes back to the default. */
export interface ChangeSettings {
  values: Record<string, unknown>;
}
