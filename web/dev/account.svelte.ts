/** A fake account: one name, one passphrase, everything in memory. */
import { Refusal } from "../src/state/api.ts";
import type {
  Account,
  Ban,
  DeviceLink,
  Door,
  InviteRow,
  InviteState,
  MemberChange,
  MemberRow,
  NewInvite,
  Role,
  SignInOptions,
  SignInRow,
  SignUp,
  Standing,
  Work,
} from "../src/state/account/types.ts";
import { onion } from "./onions.mjs";

const DAY = 24;
const SENTENCES: Record<string, string> = {
  wrong_sign_in: "The name, the passphrase or the code is wrong.",
  second_factor: "The six-digit code of the authenticator app is needed.",
  invite: "The invite is not valid, used up or too old.",
  wrong_token: "This link is not valid any more.",
  name_taken: "This name is taken.",
  no_link: "The link was used or is too old.",
};

function refuse(code: string): never {
  throw new Refusal(code, SENTENCES[code] ?? code, 403);
}

export class FakeAccount implements Account {
  standing = $state<Standing>("unknown");
  work = $state.raw<Work | null>(null);
  name = $state("ada");
  role = $state<Role>("owner");
  totp = $state(false);
  codesLeft = $state(8);
  byCode = $state(false);
  remembered = $state(true);
  readonly onion = onion(1);

  /** What the tests and the door know. */
  passphrase = "";
  token = "first-light";
  code = "7KQ2M-8ZT4C-WX9RD-5NBVE-3JHG6-F";
  claimed = true;
  registration: Door["registration"] = "invite";
  /** Milliseconds that a step of work takes. */
  pace = 0;
  /** What destroys waits for a second pair of eyes. */
  fourEyes = false;
  #first: Standing = "in";
  #sessions = $state.raw<SignInRow[]>([]);
  #invites: InviteRow[] = [];
  #members: MemberRow[] = [];

  constructor(wishes: URLSearchParams = new URLSearchParams()) {
    this.reset(wishes);
  }

  /** Begin anew: for the tests. */
  reset(wishes: URLSearchParams): void {
    this.standing = "unknown";
    this.name = "ada";
    this.byCode = false;
    this.codesLeft = 8;
    this.passphrase = "correct horse battery staple";
    this.#first = wishes.has("locked") ? "locked" : wishes.has("door") || wishes.has("new") ? "out" : "in";
    this.claimed = !wishes.has("new");
    this.registration = wishes.has("open") ? "open" : "invite";
    const role = wishes.get("role") ?? (wishes.has("member") ? "member" : "owner");
    this.role = role as Role;
    this.fourEyes = wishes.has("four-eyes");
    this.totp = wishes.has("totp");
    if (wishes.has("slow")) this.pace = 1_500;
    if (wishes.has("nocodes")) this.codesLeft = 0;
    const hour = Math.floor(Date.now() / 3_600_000);
    this.#sessions = [
      {
        id: "s1",
        label: "Firefox on Linux",
        device: "d1",
        startedHour: hour - 3 * DAY,
        usedHour: hour,
        current: true,
      },
      {
        id: "s2",
        label: "Phone",
        device: "d2",
        startedHour: hour - 40 * DAY,
        usedHour: hour - 2,
        current: false,
      },
      {
        id: "s3",
        label: "island (command line)",
        device: null,
        startedHour: hour - 90 * DAY,
        usedHour: hour - 20 * DAY,
        current: false,
      },
    ];
    const now = Math.floor(Date.now() / 1000);
    this.#invites = [
      { id: "i1", role: "member", uses: 5, left: 3, expires: now + 5 * 86_400, note: "Rowing club" },
      { id: "i2", role: "admin", uses: 1, left: 1, expires: now + 86_400, note: "" },
    ];
    const plain = {
      suspendedUntil: 0,
      reason: "",
      canPost: "by karma",
      canUpload: "by karma",
      karma: 12,
      bans: [],
    } satisfies Partial<MemberRow>;
    this.#members = [
      {
        account: "a1",
        name: "ada",
        role: "owner",
        createdHour: hour - 200 * DAY,
        usedHour: hour,
        sessions: 3,
        suspended: false,
        octets: 41_000_000,
        ...plain,
      },
      {
        account: "a2",
        name: "jonas",
        role: "admin",
        createdHour: hour - 120 * DAY,
        usedHour: hour - 5,
        sessions: 2,
        suspended: false,
        octets: 12_300_000,
        ...plain,
      },
      {
        account: "a3",
        name: "ferry-bot",
        role: "agent",
        createdHour: hour - 30 * DAY,
        usedHour: hour - 1,
        sessions: 1,
        suspended: false,
        octets: 230_000,
        ...plain,
      },
      {
        account: "a5",
        name: "petra",
        role: "moderator",
        createdHour: hour - 60 * DAY,
        usedHour: hour - 3,
        sessions: 1,
        suspended: false,
        octets: 900_000,
        ...plain,
      },
      {
        account: "a6",
        name: "leo",
        role: "member",
        createdHour: hour - 20 * DAY,
        usedHour: hour - 4,
        sessions: 1,
        suspended: false,
        octets: 1_400_000,
        ...plain,
        canUpload: "no",
        karma: 3,
        bans: [{ area: "boards", place: null, until: now + 2 * 86_400 }],
      },
      {
        account: "a4",
        name: "old.friend",
        role: "member",
        createdHour: hour - 90 * DAY,
        usedHour: hour - 60 * DAY,
        sessions: 0,
        suspended: true,
        octets: 2_100_000,
        ...plain,
        suspendedUntil: now + 3 * 86_400,
        reason: "The same advert in three boards",
      },
    ];
  }

  async begin(): Promise<Standing> {
    this.standing = this.#first;
    return this.standing;
  }

  async door(): Promise<Door> {
    return { claimed: this.claimed, registration: this.registration, title: "Private Island" };
  }

  async checkInvite(code: string): Promise<InviteState> {
    if (code === "bad") refuse("invite");
    return { role: "member", expires: Date.now() / 1000 + 5 * 86_400 };
  }

  async signUp(sign: SignUp): Promise<void> {
    await this.#labour("puzzle", "stretching", "keys");
    if (!this.claimed && sign.invite !== this.token) refuse("wrong_token");
    if (sign.name === "taken") refuse("name_taken");
    this.claimed = true;
    this.name = sign.name;
    this.passphrase = sign.passphrase;
    this.codesLeft = 0;
    this.standing = "in";
  }

  async signIn(name: string, passphrase: string, options: SignInOptions = {}): Promise<void> {
    await this.#labour("stretching", "asking", "vault");
    if (name !== this.name || passphrase !== this.passphrase) refuse("wrong_sign_in");
    if (this.totp && options.totp !== "123456") refuse(options.totp ? "wrong_sign_in" : "second_factor");
    this.standing = "in";
  }

  async signInByCode(name: string, code: string): Promise<void> {
    await this.#labour("asking", "vault");
    if (name !== this.name || code.replaceAll("-", "") !== this.code.replaceAll("-", ""))
      refuse("wrong_sign_in");
    this.byCode = true;
    this.codesLeft = 7;
    this.standing = "in";
  }

  async signInByLink(fragment: string): Promise<void> {
    await this.#labour("asking", "vault");
    if (fragment === "old") refuse("no_link");
    this.standing = "in";
  }

  async unlock(passphrase: string): Promise<void> {
    await this.#labour("stretching", "vault");
    this.#check(passphrase);
    this.standing = "in";
  }

  async signOut(): Promise<void> {
    this.standing = "out";
  }

  async sessions(): Promise<SignInRow[]> {
    return this.#sessions;
  }

  async endSession(id: string): Promise<void> {
    this.#sessions = this.#sessions.filter((one) => one.id !== id);
  }

  async changePassphrase(old: string, fresh: string): Promise<void> {
    await this.#labour("stretching", "asking");
    if (!this.byCode) this.#check(old);
    this.passphrase = fresh;
    this.byCode = false;
  }

  async newCodes(passphrase: string): Promise<string[]> {
    await this.#labour("asking");
    if (this.codesLeft > 0) this.#check(passphrase);
    this.codesLeft = 8;
    const letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    return Array.from({ length: 8 }, (_, n) =>
      (
        Array.from({ length: 26 }, (_, at) => letters[(n * 7 + at * 11 + at * at) % 32])
          .join("")
          .match(/.{1,5}/g) ?? []
      ).join("-"),
    );
  }

  async beginTotp(passphrase: string): Promise<{ secret: string; uri: string }> {
    this.#check(passphrase);
    const secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
    return {
      secret,
      uri: `otpauth://totp/Private%20Island:${this.name}?secret=${secret}&issuer=Private%20Island`,
    };
  }

  async confirmTotp(code: string): Promise<void> {
    if (code !== "123456") refuse("wrong_sign_in");
    this.totp = true;
  }

  async removeTotp(passphrase: string): Promise<void> {
    this.#check(passphrase);
    this.totp = false;
  }

  async protect(passphrase: string): Promise<void> {
    this.#check(passphrase);
  }

  async exportData(passphrase: string): Promise<Blob> {
    this.#check(passphrase);
    return new Blob(['{"name":"ada"}'], { type: "application/json" });
  }

  async deleteAccount(passphrase: string): Promise<void> {
    this.#check(passphrase);
    this.standing = "out";
  }

  async linkDevice(): Promise<DeviceLink> {
    return {
      url: `http://${this.onion}/#/link/${"Qm9hdHMtbGVhdmUtYXQtc2V2ZW4".repeat(2)}abcd`,
      expires: Date.now() / 1000 + 300,
    };
  }

  async invites(): Promise<InviteRow[]> {
    return this.#invites;
  }

  async invite(wish: Parameters<Account["invite"]>[0]): Promise<NewInvite> {
    const row: InviteRow = {
      id: `i${this.#invites.length + 3}`,
      role: wish.role ?? "member",
      uses: wish.uses ?? 1,
      left: wish.uses ?? 1,
      expires: Date.now() / 1000 + (wish.hours ?? 168) * 3600,
      note: wish.note ?? "",
    };
    this.#invites = [row, ...this.#invites];
    const code = "RK7D-2M9Q-X4TZ-HB6W";
    return {
      ...row,
      code,
      link: `http://${this.onion}/#/invite/${code}`,
      readerKey: wish.reader ? onion(61).slice(0, 52) : null,
    };
  }

  async revokeInvite(id: string): Promise<void> {
    this.#invites = this.#invites.filter((one) => one.id !== id);
  }

  async members(): Promise<MemberRow[]> {
    return this.#members;
  }

  async changeMember(id: string, { until, ...change }: MemberChange): Promise<void> {
    const end = change.suspended === undefined ? {} : { suspendedUntil: until ?? 0, reason: "" };
    this.#members = this.#members.map((one) => (one.account === id ? { ...one, ...end, ...change } : one));
  }

  async ban(id: string, ban: Ban, lift = false): Promise<void> {
    this.#members = this.#members.map((one) => {
      if (one.account !== id) return one;
      const others = one.bans.filter((had) => had.area !== ban.area || had.place !== ban.place);
      return { ...one, bans: lift ? others : [...others, ban] };
    });
  }

  async removeMember(id: string): Promise<void> {
    if (this.fourEyes) {
      const until = Math.floor(Date.now() / 1000) + 86_400;
      throw new Refusal("second_eyes", "Somebody else must agree.", 409, { id: "a", until });
    }
    this.#members = this.#members.filter((one) => one.account !== id);
  }

  #check(passphrase: string): void {
    if (passphrase !== this.passphrase) refuse("wrong_sign_in");
  }

  async #labour(...steps: Work["what"][]): Promise<void> {
    try {
      for (const what of steps) {
        for (let part = 0; part < 10; part++) {
          this.work = { what, share: what === "asking" ? null : part / 10 };
          if (this.pace > 0) await new Promise((done) => setTimeout(done, this.pace / 10));
        }
      }
    } finally {
      this.work = null;
    }
  }
}
