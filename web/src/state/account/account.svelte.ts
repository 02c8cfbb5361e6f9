/** The account as the pages see it: who is signed in, and everything one may do about that. */
import type * as Wired from "../../protocol/account.ts";
import { toBase32 } from "../../protocol/base32.ts";
import { toBase64url } from "../../protocol/base64url.ts";
import { fromHex, toHex } from "../../protocol/bytes.ts";
import { Refusal } from "../api.ts";
import { BrowserLocker, type Locker } from "../locker.ts";
import { random } from "../random.ts";
import { asRefusal, isOffline, Wire } from "../wire.ts";
import type { Entered, Tell } from "./entering.ts";
import { findKey, keepKey } from "./keyring.ts";
import { inviteRow, memberRow, signInRow } from "./rows.ts";
import type { Stretched } from "./stretching.ts";
import type * as Seen from "./types.ts";

/** What hears of an opened or closed account: the messages. */
export interface Follower {
  open(entered: Entered): void;
  close(forget: boolean): Promise<void>;
  /** Before the account is deleted: take the devices out of the directory. */
  withdraw(): Promise<void>;
  /** Everything in the vault in clear, for the export. */
  dump(): Promise<unknown>;
}

export class AccountDesk implements Seen.Account {
  standing = $state<Seen.Standing>("unknown");
  work = $state.raw<Seen.Work | null>(null);
  remembered = $state(false);
  #session = $state.raw<Wired.Session | undefined>();
  #entered: Entered | undefined;
  #stretched: { name: string; passphrase: string; keys: Stretched } | undefined;
  #attempt: { name: string; code: string; id: Uint8Array } | undefined;
  #followers: Follower[] = [];

  constructor(
    readonly wire: Wire = new Wire(),
    readonly locker: Locker = new BrowserLocker(),
  ) {
    this.wire.ended = () => void this.#close("out", false);
  }

  get name(): string {
    return this.#session?.name ?? "";
  }
  get role(): Seen.Role {
    return this.#session?.role ?? "member";
  }
  get onion(): string {
    return this.#session?.onion ?? "";
  }
  get totp(): boolean {
    return this.#session?.totp ?? false;
  }
  get codesLeft(): number {
    return this.#session?.codes_left ?? 0;
  }
  get byCode(): boolean {
    return this.#session?.by_code ?? false;
  }

  /** Tell `follower` when the account opens and closes; at once if it is open. */
  follow(follower: Follower): void {
    this.#followers.push(follower);
    if (this.#entered) follower.open(this.#entered);
  }

  /** What this sign-in may do, as the box says now. */
  readonly renewed = (session: Wired.Session): void => {
    if (this.#session) this.#session = session;
  };

  async begin(): Promise<Seen.Standing> {
    try {
      const session = await this.wire.get<Wired.Session>("/v1/session");
      const vaultKey = await findKey(this.locker, toHex(session.account));
      if (vaultKey) await this.#enter({ session, vaultKey, fresh: false }, true);
      else {
        this.#session = session;
        this.standing = "locked";
      }
    } catch (error) {
      if (isOffline(error)) throw error;
      this.standing = "out";
    }
    return this.standing;
  }

  async door(): Promise<Seen.Door> {
    const door = await this.wire.get<Wired.Door>("/v1/door", { anonymous: true });
    return { claimed: door.claimed, registration: door.registration, title: door.title };
  }

  checkInvite(code: string): Promise<Seen.InviteState> {
    return this.wire.post("/v1/invites/check", { code }, { anonymous: true });
  }

  signUp(sign: Seen.SignUp): Promise<void> {
    return this.#working(async (tell) => {
      const { signUp } = await import("./entering.ts");
      await this.#enter(await signUp(this.wire, sign, tell), true, sign.label);
    });
  }

  signIn(name: string, passphrase: string, options: Seen.SignInOptions = {}): Promise<void> {
    return this.#working(async (tell) => {
      const entering = await import("./entering.ts");
      const before = this.#stretched;
      const same = before?.name === name && before.passphrase === passphrase ? before.keys : undefined;
      const keys = same ?? (await entering.stretchedFor(this.wire, name, passphrase, tell));
      this.#stretched = undefined;
      try {
        const label = options.label ?? "";
        const entered = await entering.signIn(this.wire, name, keys, label || "Browser", options.totp, tell);
        await this.#enter(entered, options.remember ?? true, label);
      } catch (error) {
        const code = asRefusal(error).code;
        if (code === "second_factor" || options.totp) this.#stretched = { name, passphrase, keys };
        throw error;
      }
    });
  }

  signInByCode(name: string, code: string, label: string): Promise<void> {
    return this.#working(async () => {
      const { signInByCode } = await import("./entering.ts");
      const before = this.#attempt;
      // Whoever presses again after an answer that never came makes the same attempt.
      const id = before?.name === name && before.code === code ? before.id : random(16);
      this.#attempt = { name, code, id };
      await this.#enter(await signInByCode(this.wire, name, code, label, id), true, label);
      this.#attempt = undefined;
    });
  }

  signInByLink(fragment: string, label: string): Promise<void> {
    return this.#working(async () => {
      const { signInByLink } = await import("./entering.ts");
      await this.#enter(await signInByLink(this.wire, fragment, label), true, label);
    });
  }

  unlock(passphrase: string): Promise<void> {
    return this.#working(async (tell) => {
      const session = this.#session;
      if (!session) throw new Refusal("sign_in", "", 401);
      const { opened, stretchedFor } = await import("./entering.ts");
      const keys = await stretchedFor(this.wire, session.name, passphrase, tell);
      await this.#enter({ session, vaultKey: opened(keys.wrapping, session), fresh: false }, true);
    });
  }

  async signOut(): Promise<void> {
    await Promise.all(this.#followers.map((follower) => follower.close(true).catch(() => undefined)));
    await this.wire.remove("/v1/session").catch(() => undefined);
    await this.#close("out", true);
  }

  async sessions(): Promise<Seen.SignInRow[]> {
    return (await this.wire.get<Wired.Sessions>("/v1/sessions")).sessions.map(signInRow);
  }

  async endSession(id: string): Promise<void> {
    await this.wire.remove(`/v1/sessions/${toBase64url(fromHex(id))}`);
  }

  changePassphrase(old: string, fresh: string, strong = false): Promise<void> {
    return this.#working(async (tell) => {
      const { changePassphrase } = await import("./keeping.ts");
      await changePassphrase(this.wire, this.#in, old, fresh, strong, tell);
      this.#session = this.#in.session;
    });
  }

  newCodes(passphrase: string): Promise<string[]> {
    return this.#working(async (tell) => {
      const { newCodes } = await import("./keeping.ts");
      const codes = await newCodes(this.wire, this.#in, 8, passphrase, tell);
      this.#change({ codes_left: codes.length });
      return codes;
    });
  }

  beginTotp(passphrase: string): Promise<{ secret: string; uri: string }> {
    return this.#working(async (tell) => {
      const authentication = await this.#prove(passphrase, tell);
      const made = await this.wire.post<Wired.TotpSecret>("/v1/account/totp", { authentication });
      return { secret: toBase32(made.secret), uri: made.uri };
    });
  }

  async confirmTotp(code: string): Promise<void> {
    const { repeated } = await import("./entering.ts");
    await repeated(() => this.wire.post("/v1/account/totp/confirm", { totp: code }));
    this.#change({ totp: true });
  }

  removeTotp(passphrase: string): Promise<void> {
    return this.#working(async (tell) => {
      const authentication = await this.#prove(passphrase, tell);
      await this.wire.post("/v1/account/totp/remove", { authentication });
      this.#change({ totp: false });
    });
  }

  protect(passphrase: string, protect: boolean): Promise<void> {
    return this.#working(async (tell) => {
      const authentication = await this.#prove(passphrase, tell);
      await this.wire.post("/v1/protection", { authentication, protect });
    });
  }

  exportData(passphrase: string, withMessages: boolean): Promise<Blob> {
    return this.#working(async (tell) => {
      const { opened, stretchedFor } = await import("./entering.ts");
      const { session } = this.#in;
      // The box gives this to any sign-in; what makes it readable to whoever sits here asks for the passphrase.
      opened((await stretchedFor(this.wire, session.name, passphrase, tell)).wrapping, session);
      const box = await this.wire.post("/v1/account/export");
      tell({ what: "vault", share: null });
      const vault = withMessages ? await Promise.all(this.#followers.map((one) => one.dump())) : [];
      const text = JSON.stringify({ box, messages: vault[0] ?? null }, readable, 2);
      return new Blob([text], { type: "application/json" });
    });
  }

  deleteAccount(passphrase: string): Promise<void> {
    return this.#working(async (tell) => {
      const authentication = await this.#prove(passphrase, tell);
      for (const follower of this.#followers) await follower.withdraw();
      await this.wire.post("/v1/account/delete", { authentication });
      await this.#close("out", true);
    });
  }

  async linkDevice(): Promise<Seen.DeviceLink> {
    const { linkDevice } = await import("./keeping.ts");
    return linkDevice(this.wire, this.#in);
  }

  async invites(): Promise<Seen.InviteRow[]> {
    return (await this.wire.get<Wired.Invites>("/v1/invites")).invites.map(inviteRow);
  }

  async invite(invite: Parameters<Seen.Account["invite"]>[0]): Promise<Seen.NewInvite> {
    const made = await this.wire.post<Wired.Invite>("/v1/invites", invite);
    const code = made.code ?? "";
    const link = made.link ?? `${location.origin}/#/invite/${code}`;
    return { ...inviteRow(made), code, link, readerKey: made.reader_key };
  }

  async revokeInvite(id: string): Promise<void> {
    await this.wire.remove(`/v1/invites/${toBase64url(fromHex(id))}`);
  }

  async members(): Promise<Seen.MemberRow[]> {
    return (await this.wire.get<Wired.Members>("/v1/members")).members.map(memberRow);
  }

  async changeMember(id: string, change: Seen.MemberChange): Promise<void> {
    const { canPost, canUpload, ...same } = change;
    await this.wire.call("PATCH", `/v1/members/${toBase64url(fromHex(id))}`, {
      ...same,
      ...(canPost && { can_post: canPost }),
      ...(canUpload && { can_upload: canUpload }),
    });
  }

  async ban(id: string, ban: Seen.Ban, lift = false): Promise<void> {
    await this.wire.post(`/v1/members/${toBase64url(fromHex(id))}/bans`, {
      area: ban.area,
      ...(ban.place && { place: fromHex(ban.place) }),
      ...(lift ? { lift } : ban.until > 0 && { until: ban.until }),
    });
  }

  async removeMember(id: string): Promise<void> {
    await this.wire.remove(`/v1/members/${toBase64url(fromHex(id))}`);
  }

  get #in(): Entered {
    if (!this.#entered) throw new Refusal("sign_in", "", 401);
    return this.#entered;
  }

  async #prove(passphrase: string, tell: Tell): Promise<Uint8Array> {
    const { stretchedFor } = await import("./entering.ts");
    return (await stretchedFor(this.wire, this.name, passphrase, tell)).authentication;
  }

  async #working<T>(run: (tell: Tell) => Promise<T>): Promise<T> {
    try {
      return await run((work) => (this.work = work));
    } catch (error) {
      throw asRefusal(error);
    } finally {
      this.work = null;
    }
  }

  async #enter(entered: Entered, remember: boolean, label = ""): Promise<void> {
    entered.label = label;
    this.#entered = entered;
    this.#session = entered.session;
    const account = toHex(entered.session.account);
    this.remembered = remember && (await keepKey(this.locker, account, entered.vaultKey));
    this.standing = "in";
    for (const follower of this.#followers) follower.open(entered);
  }

  async #close(standing: Seen.Standing, forget: boolean): Promise<void> {
    if (this.standing === standing && !forget) return;
    this.#entered = undefined;
    this.#session = undefined;
    this.#stretched = undefined;
    this.#attempt = undefined;
    this.standing = standing;
    await Promise.all(this.#followers.map((follower) => follower.close(forget).catch(() => undefined)));
    if (forget) await this.locker.clear();
  }

  #change(change: Partial<Wired.Session>): void {
    if (this.#session) this.#session = { ...this.#session, ...change };
  }
}

function readable(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? toBase64url(value) : value;
}

export const account = new AccountDesk();
