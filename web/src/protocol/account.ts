/** Accounts on the wire: registration, invites, sign-in, second factor, backup codes, devices, linking. As `appliance/protocol/account.py` has them. */
import type { WorkChallenge, WorkSolution } from "./route.ts";

export const MAX_DEVICES = 16;

/** Backup codes made at once. */
export const CODES = 8;

/** Octets of a wrapped vault key: nonce 24, key 32, tag 16. */
export const WRAPPED_SIZE = 72;

export const MAX_LINK_OCTETS = 4096;

export type Role = "owner" | "admin" | "moderator" | "member" | "agent";

export type Registration = "open" | "invite" | "closed";

/** Whether an account may post, or upload: whatever its karma, not at all, or from a karma on. */
export type Allowance = "yes" | "no" | "by karma";

export type Area = "boards" | "channels";

/** How a passphrase is stretched (Argon2id, p = 1): 16 octets of salt, memory, passes. */
export interface Kdf {
  salt: Uint8Array;
  memory_kib: number;
  passes: number;
}

/**
 * What somebody at the door may know: who may register, and the puzzle to solve for it.
 *
 * A passphrase must be stretched with at least `kdf_memory_kib` and `kdf_passes`. `branding` is the
 * revision of what `GET /v1/branding` says.
 */
export interface Door {
  claimed: boolean;
  registration: Registration;
  title: string;
  kdf_memory_kib: number;
  kdf_passes: number;
  work: WorkChallenge | null;
  branding: Uint8Array;
}

/** Ask whether an invite is good, before typing a name. */
export interface InviteCheck {
  code: string;
}

/** A good invite: the role it gives and the second at which it ends. */
export interface InviteState {
  role: Role;
  expires: number;
}

/**
 * A new account. `invite` may be the claim token of a box without owner (role owner).
 *
 * `authentication` is derived from the passphrase; `wrapped` is the vault key under the wrapping key.
 */
export interface Register {
  account: Uint8Array;
  name: string;
  kdf: Kdf;
  authentication: Uint8Array;
  wrapped: Uint8Array;
  label: string;
  invite?: string;
  work?: WorkSolution | null;
  protect?: boolean;
}

/** Ask for the stretching parameters of a name; every name has some. */
export interface NameQuery {
  name: string;
}

/**
 * Sign in by passphrase: `totp` when the account has a second factor.
 *
 * `grant` names a session family of this browser to be ended and replaced; unused otherwise.
 */
export interface SignIn {
  name: string;
  authentication: Uint8Array;
  label: string;
  totp?: string | null;
}

/** Sign in by one backup code, which is used up; passphrase and second factor are set anew after it. */
export interface SignInByCode {
  name: string;
  authentication: Uint8Array;
  label: string;
  /** The client's own word (16 octets): with it the same again is let in while nobody has used the answer. */
  attempt?: Uint8Array;
}

/**
 * Signed in: the tokens travel in cookies only. `wrapped` opens the vault.
 *
 * `session` identifies this sign-in in the list of sessions. `epoch` is the store's: another value than
 * the one remembered means that the box was restored from a backup.
 */
export interface Session {
  account: Uint8Array;
  name: string;
  role: Role;
  onion: string;
  session: Uint8Array;
  wrapped: Uint8Array;
  epoch: Uint8Array;
  totp: boolean;
  codes_left: number;
  by_code: boolean;
}

/** One sign-in: its label, device if one is bound to it, hours of begin and last use. */
export interface SessionRow {
  session: Uint8Array;
  label: string;
  device: Uint8Array | null;
  started_hour: number;
  used_hour: number;
  current: boolean;
}

/** Every place where the account is signed in. */
export interface Sessions {
  sessions: SessionRow[];
}

/** This session speaks for a device from now on (its mailboxes, prekeys and events). */
export interface BindDevice {
  device: Uint8Array;
}

/**
 * New stretching, verifier and wrapped key; `old` is the present authentication key.
 *
 * After a sign-in by code within the same session `old` may be left out.
 */
export interface ChangePassphrase {
  kdf: Kdf;
  authentication: Uint8Array;
  wrapped: Uint8Array;
  old?: Uint8Array | null;
}

/** Proof of the passphrase for what cannot be undone. */
export interface Confirm {
  authentication: Uint8Array;
}

/** One backup code: what proves it, and the vault key under it. */
export interface Code {
  authentication: Uint8Array;
  wrapped: Uint8Array;
}

/** New backup codes; the old ones end. */
export interface ReplaceCodes {
  codes: Code[];
  confirm?: Uint8Array | null;
}

/** Ask for a new second-factor secret. */
export interface TotpBegin {
  authentication: Uint8Array;
}

/** The secret to be put in an authenticator app; not in force before `TotpConfirm`. */
export interface TotpSecret {
  secret: Uint8Array;
  uri: string;
}

/** A code of the new secret puts it in force. */
export interface TotpConfirm {
  totp: string;
}

/** Make an invite: how many may use it, until when, with which role, and with an onion reader key. */
export interface NewInvite {
  uses?: number;
  hours?: number;
  role?: "admin" | "moderator" | "member" | "agent";
  reader?: boolean;
  note?: string;
}

/** One invite in the list; `code` and `reader_key` only in the answer that makes it. */
export interface Invite {
  id: Uint8Array;
  role: Role;
  uses: number;
  left: number;
  expires: number;
  note: string;
  code: string | null;
  link: string | null;
  reader_key: string | null;
}

/** Every invite that is still good. */
export interface Invites {
  invites: Invite[];
}

/** Somebody may not write in an area, or in one board or channel of it; `until` a second, 0 for ever. */
export interface BanRow {
  area: Area;
  place: Uint8Array | null;
  until: number;
}

/**
 * One account of the box as those see it who look after the box.
 *
 * `suspended_until` is the second at which a suspension ends by itself, 0 for none or no end.
 */
export interface Member {
  account: Uint8Array;
  name: string;
  role: Role;
  created_hour: number;
  used_hour: number;
  sessions: number;
  suspended: boolean;
  octets: number;
  suspended_until: number;
  reason: string;
  can_post: Allowance;
  can_upload: Allowance;
  karma: number;
  bans: BanRow[];
}

/** Every account of the box. */
export interface Members {
  members: Member[];
}

/**
 * Change a member's role or what they may do, or suspend them (their sessions end at once).
 *
 * `until` is the second at which the suspension ends by itself; without it somebody must end it. `reason`
 * is shown to whoever is suspended when they try to sign in.
 */
export interface ChangeMember {
  role?: Role | null;
  suspended?: boolean | null;
  until?: number | null;
  reason?: string;
  can_post?: Allowance | null;
  can_upload?: Allowance | null;
}

/**
 * Ban a member from writing in an area, or in one board or channel of it; or lift that ban.
 *
 * `until` is the second at which it ends by itself; without it somebody must lift it.
 */
export interface ChangeBan {
  area: Area;
  place?: Uint8Array | null;
  until?: number | null;
  lift?: boolean;
}

/** Leave a sealed packet for a device that is being added: read once, within five minutes. */
export interface PutLink {
  id: Uint8Array;
  packet: Uint8Array;
}

/** Take the packet; the box signs the taker in to the account that left it. */
export interface TakeLink {
  id: Uint8Array;
  label: string;
}

/** The packet, and the session it opens. */
export interface Linked {
  packet: Uint8Array;
  session: Session;
}
