/** A person's messages as the pages see them. Small: what works behind it is loaded when somebody signs in. */
import { zone } from "../../locales/zone.svelte.ts";
import { toHex } from "../../protocol/bytes.ts";
import { isSafetyQr } from "../../protocol/recognise.ts";
import { Refusal } from "../api.ts";
import { account as pageAccount, type AccountDesk, type Follower } from "../account/account.svelte.ts";
import type { Entered } from "../account/entering.ts";
import { pageTabs, takeTurn, type Tabs, type Turn } from "../vault/tabs.ts";
import { asRefusal, isOffline } from "../wire.ts";
import type { Core, Options, Stage } from "./core.ts";
import { NOBODY, withIgnored, type IgnoredRecord } from "./ignored.ts";
import { names, SETTINGS, type AccountRecord, type HeadRecord } from "./records.ts";
import type * as Seen from "./types.ts";

const AGAIN = 3_000;

export type Tuning = Partial<Pick<Options, "now" | "patience" | "pauses" | "stock" | "label">>;

export class MessengerDesk implements Seen.Messenger, Stage, Follower {
  phase = $state<Seen.Phase>("closed");
  alarm = $state.raw<Seen.Alarm | null>(null);
  progress = $state.raw<Seen.Progress | null>(null);
  connection = $state<Seen.Messenger["connection"]>("offline");
  here = $state.raw<readonly string[]>([]);
  me = $state.raw<Seen.Me | undefined>();
  settings = $state.raw<Seen.Settings>(SETTINGS);
  ignored = $state.raw<ReadonlySet<string>>(NOBODY);
  #core = $state.raw<Core | undefined>();
  #entered: Entered | undefined;
  #turn: Turn | undefined;
  #generation = 0;

  constructor(
    readonly account: AccountDesk,
    readonly tabs: Tabs = pageTabs,
    readonly tuning: Tuning = {},
  ) {
    account.follow(this);
    if (typeof window === "undefined") return;
    window.addEventListener("pagehide", () => void this.#core?.leave().catch(() => undefined));
    // Asked only where closing would lose a file: what is sealed in this browser goes on by itself.
    window.addEventListener("beforeunload", (event) => {
      if (this.#core?.uploads.fragile) event.preventDefault();
    });
  }

  get conversations(): readonly Seen.Conversation[] {
    return this.#core?.chats.conversations ?? [];
  }
  get requests(): readonly Seen.Conversation[] {
    return this.#core?.chats.requests ?? [];
  }
  get unread(): number {
    let sum = 0;
    for (const one of this.conversations) if (!one.muted && one.state === "contact") sum += one.unread;
    return sum;
  }
  /** For tests and for what is not in the interface. */
  get core(): Core | undefined {
    return this.#core;
  }

  /** The account was opened. */
  open(entered: Entered): void;
  /** A conversation comes into view. */
  open(id: string): Seen.Conversation | undefined;
  open(what: Entered | string): Seen.Conversation | undefined | void {
    if (typeof what !== "string") {
      this.#entered = what;
      return void this.#begin(false, false);
    }
    const chat = this.#core?.chats.get(what);
    void chat?.open().catch(() => undefined);
    return chat;
  }

  /** The account was closed. */
  async close(forget: boolean): Promise<void> {
    this.#entered = undefined;
    await this.#end(forget);
    this.phase = "closed";
    this.me = undefined;
    zone.use("");
    this.ignored = NOBODY;
    this.alarm = null;
  }

  async #end(leave: boolean): Promise<void> {
    this.#generation++;
    const core = this.#core;
    this.#core = undefined;
    await core?.close(leave);
    this.#turn?.release();
    this.#turn = undefined;
  }

  async #begin(setBack: boolean, take: boolean): Promise<void> {
    const entered = this.#entered;
    if (!entered) return;
    const generation = ++this.#generation;
    const current = (): boolean => generation === this.#generation;
    this.phase = "opening";
    const lost = async (): Promise<void> => {
      if (!current()) return;
      await this.#end(false);
      this.phase = "moved";
    };
    const lock = `island.writer.${toHex(entered.session.account)}`;
    this.#turn ??= await takeTurn(this.tabs, lock, lost, take);
    if (!this.#turn) {
      this.phase = "moved";
      return;
    }
    const { Core } = await import("./core.ts");
    const { session, vaultKey, fresh } = entered;
    const { wire, locker } = this.account;
    const options = {
      label: entered.label || browserLabel(),
      ...this.tuning,
      wire,
      locker,
      session,
      vaultKey,
      fresh,
      renewed: this.account.renewed,
    };
    const core = new Core(options, this, (back) => current() && void this.#begin(back, false));
    if (!current()) return;
    this.#core = core;
    try {
      await core.open(setBack);
    } catch (error) {
      if (!current() || core.closed) return;
      if (!isOffline(error)) return this.#stuck(error);
      await core.close(false);
      this.phase = "offline";
      setTimeout(() => current() && void this.#begin(setBack, false), this.tuning.pauses?.[0] ?? AGAIN);
    }
    if (entered.fresh) entered.fresh = false;
  }

  #stuck(error: unknown): void {
    if (this.phase === "alarm") return;
    const code = asRefusal(error).code;
    if (code === "session_ended" || code === "sign_in") return;
    this.alarm = { kind: "vault" };
    this.phase = "alarm";
    this.problem = asRefusal(error);
  }

  /** What stopped the opening, when phase is "alarm" without a log. */
  problem = $state.raw<Refusal | null>(null);

  /** What the account record and the devices say was read anew. */
  changed(): void {
    const core = this.#core;
    const record = core?.vault.peek(names.account) as unknown as AccountRecord | undefined;
    if (!core || !record) return;
    this.settings = { ...SETTINGS, ...record.settings };
    zone.use(record.zone ?? "");
    void this.#readIgnored(core).catch(() => undefined);
    const identity = core.identity();
    const seat = (core.seat as Core["seat"] | undefined)?.id ?? "";
    const before = this.me;
    this.me = {
      address: `${record.name}@${record.onion}`,
      name: record.name,
      display: record.display,
      fingerprint: before?.fingerprint ?? "",
      identity: toHex(identity),
      picture: toHex(record.picture ?? new Uint8Array()),
      zone: record.zone ?? "",
      device: seat,
      devices: record.devices.map((row) => {
        const id = toHex(row.device);
        const head = core.vault.peek(names.head(id)) as unknown as HeadRecord | undefined;
        return { id, label: row.label, addedHour: row.added, seen: head?.alive ?? 0, current: id === seat };
      }),
    };
    if (!before)
      void import("../../protocol/safety.ts").then(({ fingerprint }) => {
        if (this.me) this.me = { ...this.me, fingerprint: fingerprint(identity).join(" ") };
      });
  }

  find(id: string): Seen.Conversation | undefined {
    return this.#core?.chats.get(id);
  }

  leave(id: string): void {
    this.#core?.chats.get(id)?.leave();
  }

  async start(address: string): Promise<Seen.Conversation> {
    try {
      return await this.#ready.chats.start(address);
    } catch (error) {
      throw asRefusal(error);
    }
  }

  async search(text: string, limit = 100): Promise<Seen.Hit[]> {
    const { search } = await import("./search.ts");
    return search(this.#ready, text, limit);
  }

  async takeOver(): Promise<void> {
    if (this.phase === "moved") await this.#begin(false, true);
  }

  async ignore(name: string, ignored: boolean): Promise<void> {
    const core = this.#ready;
    await core.ledger.run((batch) => {
      batch.change<IgnoredRecord>(names.ignored, (now) => withIgnored(now, name, ignored));
      batch.after.push(() => this.changed());
    });
  }

  /** Whom the account ignores, as the vault has it. */
  async #readIgnored(core: Core): Promise<void> {
    const [value] = await core.vault.read([names.ignored]);
    const now = (value as unknown as IgnoredRecord | undefined)?.names ?? [];
    if (
      this.#core !== core ||
      (now.length === this.ignored.size && now.every((one) => this.ignored.has(one)))
    )
      return;
    this.ignored = new Set(now);
    core.channels.recount();
  }

  async changeSettings(settings: Partial<Seen.Settings>): Promise<void> {
    const core = this.#ready;
    await core.ledger.run((batch) => {
      batch.change<AccountRecord>(
        names.account,
        (now) => now && { ...now, settings: { ...now.settings, ...settings } },
      );
      batch.after.push(() => this.changed());
    });
    if (settings.presence !== undefined) await core.wire.post("/v1/presence", { visible: settings.presence });
    if (settings.zone !== undefined) core.routes.look();
  }

  async changeProfile(change: Seen.ProfileChange): Promise<void> {
    await this.#ready.appearance.change(change);
  }

  picture(identity: string): string | undefined {
    const own = identity === this.me?.identity;
    const mark = own ? this.me!.picture : this.#core?.chats.all.find((one) => one.id === identity)?.picture;
    return mark ? this.#core?.appearance.picture(identity, mark) : undefined;
  }

  async removeDevice(id: string): Promise<void> {
    await this.#ready.upkeep.removeDevice(id);
    this.changed();
  }

  async dismissAlarm(accept: boolean): Promise<void> {
    const core = this.#ready;
    if (accept && this.alarm?.kind === "log") await core.people.logs.accept(this.alarm.host);
    this.alarm = null;
    this.phase = "ready";
  }

  scanned(text: string): Seen.Scanned | undefined {
    const shown = text.replace(/\s+/g, "").toUpperCase();
    const conversation = this.conversations.find((one) => one.safety?.qr === shown);
    if (conversation) return { conversation, matches: true };
    return isSafetyQr(shown) ? { conversation: null, matches: false } : undefined;
  }

  async withdraw(): Promise<void> {
    await this.#core?.upkeep.withdraw();
  }

  async dump(): Promise<unknown> {
    const core = this.#ready;
    const { dump } = await import("./dump.ts");
    return dump(core);
  }

  get #ready(): Core {
    if (!this.#core || this.phase === "moved") throw new Refusal("moved", "", 409);
    return this.#core;
  }
}

/** What this browser is called in the list of devices. */
export function browserLabel(): string {
  const agent = typeof navigator === "undefined" ? "" : navigator.userAgent;
  const browser = /Firefox|Edg|Chrome|Safari/.exec(agent)?.[0].replace("Edg", "Edge") ?? "Browser";
  const system = /Android|iPhone|iPad|Windows|Mac OS|Linux/.exec(agent)?.[0];
  return system ? `${browser}, ${system}` : browser;
}

export const messenger = new MessengerDesk(pageAccount);
