/** The ways in: each ends with a session at the box and the vault key. Loaded when somebody is at the door. */
import type * as Wired from "../../protocol/account.ts";
import { codeKeys, readCode } from "../../protocol/backupCode.ts";
import { openLink, readLink } from "../../protocol/link.ts";
import { DEFAULT_KDF, STRONG_KDF, unwrapVaultKey, wrapVaultKey } from "../../protocol/stretching.ts";
import { Refusal } from "../api.ts";
import { random } from "../random.ts";
import { isOffline, type Wire } from "../wire.ts";
import * as slow from "./stretching.ts";
import type { SignUp, Work } from "./types.ts";

export interface Entered {
  session: Wired.Session;
  vaultKey: Uint8Array;
  /** The account was made just now: its vault is empty. */
  fresh: boolean;
  /** What the person called this browser. */
  label?: string;
}

export type Tell = (work: Work) => void;

const SHORTEST = 8;
const REPEATS = 3;
const anonymous = { anonymous: true };

/** How a new passphrase of this box is stretched: at least as the box demands. */
export async function freshKdf(wire: Wire, strong: boolean): Promise<Wired.Kdf> {
  const door = await wire.get<Wired.Door>("/v1/door", anonymous);
  const least = door as Partial<Record<"kdf_memory_kib" | "kdf_passes", number>>;
  const usual = {
    memory_kib: least.kdf_memory_kib ?? DEFAULT_KDF.memory_kib,
    passes: least.kdf_passes ?? DEFAULT_KDF.passes,
  };
  const chosen = strong ? STRONG_KDF : usual;
  return {
    salt: random(16),
    memory_kib: Math.max(chosen.memory_kib, usual.memory_kib),
    passes: Math.max(chosen.passes, usual.passes),
  };
}

/** Both keys of a passphrase, told as it goes on. */
export async function stretched(passphrase: string, kdf: Wired.Kdf, tell: Tell): Promise<slow.Stretched> {
  tell({ what: "stretching", share: 0 });
  return slow.stretch(passphrase, kdf, (share) => tell({ what: "stretching", share }));
}

/** Both keys of the present passphrase of `name`. */
export async function stretchedFor(
  wire: Wire,
  name: string,
  passphrase: string,
  tell: Tell,
): Promise<slow.Stretched> {
  tell({ what: "asking", share: null });
  const kdf = await wire.post<Wired.Kdf>("/v1/session/parameters", { name }, anonymous);
  return stretched(passphrase, kdf, tell);
}

/** Refuse a passphrase that is too short for anything. */
export function checkPassphrase(passphrase: string): void {
  if (passphrase.normalize("NFKC").length < SHORTEST) throw new Refusal("weak_passphrase", "", 400);
}

/** A new account with a new vault key. */
export async function signUp(wire: Wire, sign: SignUp, tell: Tell): Promise<Entered> {
  checkPassphrase(sign.passphrase);
  tell({ what: "asking", share: null });
  const door = await wire.get<Wired.Door>("/v1/door", anonymous);
  const kdf = await freshKdf(wire, sign.strong ?? false);
  const keys = await stretched(sign.passphrase, kdf, tell);
  const account = random(16);
  const vaultKey = random(32);
  const register: Wired.Register = {
    account,
    name: sign.name,
    kdf,
    authentication: keys.authentication,
    wrapped: wrapVaultKey(keys.wrapping, account, vaultKey, random),
    label: sign.label,
  };
  if (sign.invite) register.invite = sign.invite;
  if (sign.protect) register.protect = true;
  if (door.work && !sign.invite) {
    tell({ what: "puzzle", share: null });
    register.work = await slow.solve(door.work);
  }
  tell({ what: "asking", share: null });
  const session = await repeated(() => wire.post<Wired.Session>("/v1/accounts", register, anonymous));
  return { session, vaultKey, fresh: true };
}

/** The very same request again when no answer came: the box answers it alike. */
export async function repeated<T>(run: () => Promise<T>): Promise<T> {
  for (let left = REPEATS; ; left--) {
    try {
      return await run();
    } catch (error) {
      if (left <= 1 || !isOffline(error)) throw error;
    }
  }
}

/** By passphrase; the stretched keys come from outside, so that asking for a second factor costs nothing. */
export async function signIn(
  wire: Wire,
  name: string,
  keys: slow.Stretched,
  label: string,
  totp: string | undefined,
  tell: Tell,
): Promise<Entered> {
  tell({ what: "asking", share: null });
  const body: Wired.SignIn = { name, authentication: keys.authentication, label };
  if (totp) body.totp = totp;
  const session = await wire.post<Wired.Session>("/v1/session", body, anonymous);
  return { session, vaultKey: opened(keys.wrapping, session), fresh: false };
}

/** By a backup code; Refusal mistyped when it cannot be one. The same `attempt` (16 octets) may be made again. */
export async function signInByCode(
  wire: Wire,
  name: string,
  text: string,
  label: string,
  attempt: Uint8Array,
): Promise<Entered> {
  const code = readable(() => readCode(text));
  const keys = codeKeys(code);
  const body: Wired.SignInByCode = { name, authentication: keys.authentication, label, attempt };
  // Were the answer lost, the code could be used up for nothing.
  const session = await repeated(() => wire.post<Wired.Session>("/v1/session/code", body, anonymous));
  return { session, vaultKey: opened(keys.wrapping, session), fresh: false };
}

/** By a link shown on another device. */
export async function signInByLink(wire: Wire, fragment: string, label: string): Promise<Entered> {
  const text = fragment.slice(fragment.lastIndexOf("/") + 1);
  const link = readable(() => readLink(`#/link/${text}`));
  const linked = await wire.post<Wired.Linked>("/v1/links/take", { id: link.id, label }, anonymous);
  const packet = openLink(link.id, link.secret, linked.packet);
  return { session: linked.session, vaultKey: packet.vault_key, fresh: false };
}

/** The vault key under the keys of the passphrase; Refusal wrong_sign_in. */
export function opened(wrapping: Uint8Array, session: Wired.Session): Uint8Array {
  try {
    return unwrapVaultKey(wrapping, session.account, session.wrapped);
  } catch {
    throw new Refusal("wrong_sign_in", "", 403);
  }
}

function readable<T>(read: () => T): T {
  try {
    return read();
  } catch {
    throw new Refusal("mistyped", "", 400);
  }
}
