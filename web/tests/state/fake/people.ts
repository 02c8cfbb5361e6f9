/** People at fake browsers: each with a line to the box, a locker, and the engine itself. */
import { toHex } from "../../../src/protocol/bytes.ts";
import { AccountDesk } from "../../../src/state/account/account.svelte.ts";
import { MemoryLocker } from "../../../src/state/locker.ts";
import { MessengerDesk } from "../../../src/state/messenger/messenger.svelte.ts";
import { names, type SessionRecord } from "../../../src/state/messenger/records.ts";
import type { Chat } from "../../../src/state/messenger/chat.svelte.ts";
import { Wire } from "../../../src/state/wire.ts";
import type { FakeBox } from "./box.ts";
import { Line } from "./line.ts";

const NO_TABS = { locks: undefined, channel: undefined };
export const PASSPHRASE = "seven grey gulls";

const open: Browser[] = [];

/** One browser: what it remembers, and one page in it. */
export class Browser {
  readonly line: Line;
  readonly account: AccountDesk;
  readonly messenger: MessengerDesk;
  #name = "";

  constructor(
    readonly box: FakeBox,
    readonly locker = new MemoryLocker(),
  ) {
    this.line = new Line(box);
    this.account = new AccountDesk(new Wire(this.line), locker);
    const now = (): number => box.now;
    const tuning = { now, patience: 80, pauses: [5, 10, 20], stock: 4 };
    this.messenger = new MessengerDesk(this.account, NO_TABS, tuning);
    open.push(this);
  }

  /** The same browser after its window was closed and opened again. */
  async reopened(): Promise<Browser> {
    const { session } = this.line;
    await this.crash();
    const next = new Browser(this.box, this.locker);
    next.line.session = session;
    await next.account.begin();
    await next.ready();
    return next;
  }

  /** The page is gone from one moment to the next. */
  async crash(): Promise<void> {
    this.line.cut();
    await this.messenger.core?.close(false);
  }

  async ready(): Promise<void> {
    await until(() => this.messenger.phase === "ready");
    await until(() => this.messenger.core?.upkeep.settled === true);
    this.#name = this.account.name;
  }

  get address(): string {
    this.#name ||= this.account.name;
    return `${this.#name}@${this.box.host}`;
  }

  chat(other: Browser): Chat | undefined {
    const all = [...this.messenger.conversations, ...this.messenger.requests];
    return all.find((one) => one.address === other.address) as Chat | undefined;
  }

  texts(other: Browser): string[] {
    return (this.chat(other)?.messages ?? []).filter((one) => one.kind === "text").map((one) => one.text);
  }
}

/** Somebody new at the box. */
export async function join(box: FakeBox, name: string): Promise<Browser> {
  const browser = new Browser(box);
  await browser.account.signUp({ name, passphrase: PASSPHRASE, invite: "", label: "Test" });
  await browser.ready();
  return browser;
}

/** The same person at another browser, by passphrase. */
export async function signIn(box: FakeBox, name: string): Promise<Browser> {
  const browser = new Browser(box);
  await browser.account.signIn(name, PASSPHRASE, { label: "Other" });
  await browser.ready();
  return browser;
}

/** Two people who have written to each other and accepted. */
export async function friends(box: FakeBox): Promise<[Browser, Browser]> {
  const ada = await join(box, "ada");
  const ben = await join(box, "ben");
  const chat = await ada.messenger.start(ben.address);
  await chat.send("hello ben");
  await until(() => ben.messenger.requests.length === 1);
  await ben.messenger.requests[0]!.accept();
  await ben.chat(ada)!.open();
  await until(() => ben.texts(ada).length === 1);
  await ben.chat(ada)!.send("hello ada");
  await until(() => ada.texts(ben).length === 2);
  await until(() => ada.chat(ben)!.messages.every((one) => !one.mine || one.state === "delivered"));
  return [ada, ben];
}

/** What somebody keeps of the only device they write with. */
export function recordOf(who: Browser): SessionRecord {
  const { core } = who.messenger;
  const name = names.session(core!.seat.id, toHex(core!.ledger.head.sessions[0]!.peer));
  return core!.vault.peek(name) as unknown as SessionRecord;
}

/** Nothing that devices tell each other by themselves is under way. */
export async function quiet(...people: Browser[]): Promise<void> {
  const told = (who: Browser): boolean => {
    const { told, tells } = recordOf(who);
    return told.length > 0 && !tells?.length;
  };
  await until(() => people.every(told));
}

/** Wait until it holds; fails with the condition's own text. */
export async function until(holds: () => boolean, milliseconds = 60_000): Promise<void> {
  for (const end = Date.now() + milliseconds; !holds();) {
    if (Date.now() > end) throw new Error(`never came true: ${holds.toString()}`);
    await new Promise((done) => setTimeout(done, 5));
  }
}

export async function closeAll(): Promise<void> {
  for (const browser of open.splice(0)) await browser.crash();
}
