/**
 * Accounts as the pages see them: the door, signing in and out, and everything one may change about oneself.
 * `account` (account/account.svelte.ts) implements `Account`; it is reactive. Errors are `Refusal` (state/api.ts).
 * Passphrases are stretched in a Worker: 0.3 s in most browsers, 6 to 20 s at Tor Browser's "Safer".
 */

import type { Allowance, Area } from "../../protocol/account.ts";

export type { Allowance, Area };
export type Role = "owner" | "admin" | "moderator" | "member" | "agent";

/** Who may come in, as anybody may know. */
export interface Door {
  claimed: boolean;
  registration: "open" | "invite" | "closed";
  title: string;
}

export interface InviteState {
  role: Role;
  /** Unix seconds. */
  expires: number;
}

/** What is going on while a promise of this module is pending; `share` 0…1, or null when it cannot be told. */
export interface Work {
  what: "puzzle" | "stretching" | "asking" | "keys" | "vault";
  share: number | null;
}

export interface SignUp {
  name: string;
  passphrase: string;
  /** Code of an invite, or the claim token of a box without owner; "" where registration is open. */
  invite: string;
  /** What this browser is called in the list of devices. */
  label: string;
  /** 64 MiB and three passes instead of 19 MiB and two. */
  strong?: boolean;
  /** With a claim token: the box starts locked and opens when its owner signs in. */
  protect?: boolean;
}

export interface SignInRow {
  id: string;
  label: string;
  device: string | null;
  startedHour: number;
  usedHour: number;
  current: boolean;
}

export interface InviteRow {
  id: string;
  role: Role;
  uses: number;
  left: number;
  /** Unix seconds. */
  expires: number;
  note: string;
}

/** Shown once, when it is made. */
export interface NewInvite extends InviteRow {
  code: string;
  /** Address to be opened (and put in a QR code), and the onion reader key if one was made. */
  link: string;
  readerKey: string | null;
}

export interface MemberRow {
  account: string;
  name: string;
  role: Role;
  createdHour: number;
  usedHour: number;
  sessions: number;
  suspended: boolean;
  octets: number;
  /** Unix seconds at which the suspension ends by itself; 0 for none or no end. */
  suspendedUntil: number;
  reason: string;
  canPost: Allowance;
  canUpload: Allowance;
  karma: number;
  bans: readonly Ban[];
}

/** Where somebody may not write; `until` 0 for ever, `place` null for the whole area. */
export interface Ban {
  area: Area;
  place: string | null;
  until: number;
}

/** What may be changed about a member; a suspension without `until` ends only when somebody ends it. */
export interface MemberChange {
  role?: Role;
  suspended?: boolean;
  until?: number;
  reason?: string;
  canPost?: Allowance;
  canUpload?: Allowance;
}

/** A second device is waiting to be let in: `url` is the text of the QR code, good until `expires`. */
export interface DeviceLink {
  url: string;
  expires: number;
}

/**
 * unknown: not asked yet; out: nobody is signed in; locked: signed in, but this browser does not know the
 * vault key any more (ask for the passphrase only, then `unlock`); in: everything is open.
 */
export type Standing = "unknown" | "out" | "locked" | "in";

export interface Account {
  readonly standing: Standing;
  readonly work: Work | null;
  readonly name: string;
  readonly role: Role;
  /** Onion address of the box; the person's address is `name@onion`. */
  readonly onion: string;
  readonly totp: boolean;
  readonly codesLeft: number;
  /** Signed in by a backup code: a new passphrase should be asked for now (no old one is needed). */
  readonly byCode: boolean;
  /** Whether the vault key stays in this browser over a restart (IndexedDB works and the person wants it). */
  readonly remembered: boolean;

  /** Find out how it stands (at the start of the page); never asks for anything. */
  begin(): Promise<Standing>;
  door(): Promise<Door>;
  /** Refusal invite. */
  checkInvite(code: string): Promise<InviteState>;
  /** Refusal invite, registration, name_taken, weak_passphrase, work, wrong_token. */
  signUp(sign: SignUp): Promise<void>;
  /** Refusal wrong_sign_in; second_factor: repeat with `totp` (the passphrase is not stretched again). */
  signIn(name: string, passphrase: string, options?: SignInOptions): Promise<void>;
  /** `code` as printed, in any spelling. Refusal wrong_sign_in; "mistyped" when it cannot be a code. */
  signInByCode(name: string, code: string, label: string): Promise<void>;
  /** `fragment` is what stands behind `#/link/`. Refusal no_link, bad_message. */
  signInByLink(fragment: string, label: string): Promise<void>;
  /** Standing "locked": the passphrase opens the vault again. Refusal wrong_sign_in. */
  unlock(passphrase: string): Promise<void>;
  /** Ends the session and forgets everything in this browser. */
  signOut(): Promise<void>;

  sessions(): Promise<SignInRow[]>;
  endSession(id: string): Promise<void>;
  /** `old` may be "" after a sign-in by code. Refusal wrong_sign_in. */
  changePassphrase(old: string, fresh: string, strong?: boolean): Promise<void>;
  /** Eight new codes as text, to be shown once. `passphrase` may be "" while there are none. */
  newCodes(passphrase: string): Promise<string[]>;
  beginTotp(passphrase: string): Promise<{ secret: string; uri: string }>;
  confirmTotp(code: string): Promise<void>;
  removeTotp(passphrase: string): Promise<void>;
  /** Owner, on the box itself: whether the box asks for this passphrase after every start. */
  protect(passphrase: string, protect: boolean): Promise<void>;
  /** What the box keeps about the account, and (if asked) everything in the vault in clear: a JSON file. */
  exportData(passphrase: string, withMessages: boolean): Promise<Blob>;
  /** Deletes the account, its vault and its mailboxes for good. */
  deleteAccount(passphrase: string): Promise<void>;
  /** Let a second device in. */
  linkDevice(): Promise<DeviceLink>;

  invites(): Promise<InviteRow[]>;
  invite(invite: {
    uses?: number;
    hours?: number;
    role?: "admin" | "moderator" | "member" | "agent";
    reader?: boolean;
    note?: string;
  }): Promise<NewInvite>;
  revokeInvite(id: string): Promise<void>;
  members(): Promise<MemberRow[]>;
  /** Refusal role, yourself, last_owner, wrong_state. */
  changeMember(account: string, change: MemberChange): Promise<void>;
  /** Keep somebody from writing, or let them again (`lift`). */
  ban(account: string, ban: Ban, lift?: boolean): Promise<void>;
  /** Refusal second_eyes: it waits for somebody else. */
  removeMember(account: string): Promise<void>;
}

export interface SignInOptions {
  label?: string;
  totp?: string;
  /** Keep the vault key in this browser; default true. */
  remember?: boolean;
}
