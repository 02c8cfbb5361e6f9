/** What one changes about one's own account. Loaded with the first such change. */
import type * as Wired from "../../protocol/account.ts";
import { codeKeys, codeText, makeCode } from "../../protocol/backupCode.ts";
import { equal } from "../../protocol/bytes.ts";
import { linkFragment, sealLink } from "../../protocol/link.ts";
import { wrapVaultKey } from "../../protocol/stretching.ts";
import { random } from "../random.ts";
import { isOffline, type Wire } from "../wire.ts";
import {
  checkPassphrase,
  freshKdf,
  repeated,
  stretched,
  stretchedFor,
  type Entered,
  type Tell,
} from "./entering.ts";
import type { DeviceLink } from "./types.ts";

const LINK_SECONDS = 300;

/** A new passphrase for the same vault key; `old` is "" after a sign-in by code. */
export async function changePassphrase(
  wire: Wire,
  entered: Entered,
  old: string,
  fresh: string,
  strong: boolean,
  tell: Tell,
): Promise<void> {
  checkPassphrase(fresh);
  const { name, account } = entered.session;
  const before = old === "" ? undefined : await stretchedFor(wire, name, old, tell);
  const kdf = await freshKdf(wire, strong);
  const keys = await stretched(fresh, kdf, tell);
  const wrapped = wrapVaultKey(keys.wrapping, account, entered.vaultKey, random);
  const body: Wired.ChangePassphrase = { kdf, authentication: keys.authentication, wrapped };
  if (before) body.old = before.authentication;
  tell({ what: "asking", share: null });
  try {
    await wire.post("/v1/account/passphrase", body);
  } catch (error) {
    // Perhaps only the answer was lost: what the box has now tells.
    const now = isOffline(error) && (await wire.get<Wired.Session>("/v1/session"));
    if (!now || !equal(now.wrapped, wrapped)) throw error;
  }
  entered.session = { ...entered.session, wrapped, by_code: false };
}

/** Eight new backup codes, as text; the old ones end. */
export async function newCodes(
  wire: Wire,
  entered: Entered,
  count: number,
  passphrase: string,
  tell: Tell,
): Promise<string[]> {
  const { name, account } = entered.session;
  const confirm = passphrase === "" ? undefined : await stretchedFor(wire, name, passphrase, tell);
  const made = Array.from({ length: count }, () => makeCode(random));
  const codes = made.map((code) => {
    const keys = codeKeys(code);
    const wrapped = wrapVaultKey(keys.wrapping, account, entered.vaultKey, random);
    return { authentication: keys.authentication, wrapped };
  });
  tell({ what: "asking", share: null });
  // Were the answer lost, the old codes could be gone and the new ones unknown.
  const body = { codes, confirm: confirm?.authentication };
  await repeated(() => wire.post("/v1/account/codes", body));
  return made.map(codeText);
}

/** A link that lets a second device in, good for five minutes. */
export async function linkDevice(wire: Wire, entered: Entered): Promise<DeviceLink> {
  const id = random(16);
  const secret = random(32);
  const { name, onion } = entered.session;
  const packet = sealLink(id, secret, { vault_key: entered.vaultKey, name }, random);
  await wire.post("/v1/links", { id, packet });
  return {
    url: base(onion) + linkFragment(id, secret),
    expires: Math.floor(Date.now() / 1000) + LINK_SECONDS,
  };
}

/** Another device cannot open a loopback address: it comes by the onion. */
function base(onion: string): string {
  const loopback = /^(localhost|127\.|\[::1\])/.test(location.hostname);
  return loopback && onion !== "" ? `http://${onion}/` : `${location.origin}/`;
}
