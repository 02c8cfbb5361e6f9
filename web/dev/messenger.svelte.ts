/** A fake messenger: a few people with a long past, who answer now and then. It seals nothing. */
import { zone } from "../src/locales/zone.svelte.ts";
import { dataUrl } from "../src/protocol/picture.ts";
import { Refusal } from "../src/state/api.ts";
import type {
  Alarm,
  Conversation,
  Hit,
  Me,
  Messenger,
  Phase,
  ProfileChange,
  Progress,
  Settings,
  Scanned,
} from "../src/state/messenger/types.ts";
import { FakeConversation } from "./conversation.svelte.ts";
import { onion } from "./onions.mjs";
import { ferry, history, jonas, marta, noura } from "./talk.ts";

export class FakeMessenger implements Messenger {
  phase = $state<Phase>("ready");
  alarm = $state.raw<Alarm | null>(null);
  progress = $state.raw<Progress | null>(null);
  connection = $state<Messenger["connection"]>("live");
  here = ["jonas"];
  me = $state.raw<Me | undefined>();
  settings = $state.raw<Settings>({
    readReceipts: true,
    typing: true,
    presence: false,
    notifications: false,
    zone: false,
  });
  #picture = $state<string>();
  ignored = $state.raw<ReadonlySet<string>>(new Set());
  all = $state.raw<FakeConversation[]>([]);

  constructor(wishes: URLSearchParams = new URLSearchParams()) {
    this.reset(wishes);
  }

  /** Begin anew: for the tests. */
  reset(wishes: URLSearchParams = new URLSearchParams()): void {
    const now = Math.floor(Date.now() / 1000);
    const hour = Math.floor(now / 3600);
    this.phase = "ready";
    this.#picture = undefined;
    this.ignored = new Set(wishes.has("ignoring") ? ["jonas", "noura"] : []);
    this.alarm = null;
    this.progress = null;
    this.connection = "live";
    this.me = {
      address: `ada@${onion(1)}`,
      name: "ada",
      display: "Ada",
      fingerprint: "40219 88173 20566 71934 00827 55610",
      identity: "a1".repeat(32),
      picture: "",
      zone: "",
      device: "d1",
      devices: [
        { id: "d1", label: "Firefox on Linux", addedHour: hour - 72, seen: now, current: true },
        { id: "d2", label: "Phone", addedHour: hour - 960, seen: now - 7_300, current: false },
      ],
    };
    this.all = wishes.has("empty") ? [] : people(now);
    if (wishes.has("moved")) this.phase = "moved";
    if (wishes.has("offline")) this.connection = "offline";
    if (wishes.has("opening")) this.#opening();
    if (wishes.has("alarm")) {
      this.phase = "alarm";
      this.alarm = { kind: "log", host: onion(3), before: 14, after: 9 };
    }
  }

  #opening(): void {
    this.phase = "opening";
    this.me = undefined;
    this.progress = { what: "index", done: 1_240, total: 10_000 };
  }

  get conversations(): readonly FakeConversation[] {
    return this.all
      .filter((one) => one.state !== "request")
      .toSorted((a, b) => Number(a.state === "blocked") - Number(b.state === "blocked") || when(b) - when(a));
  }

  get requests(): readonly FakeConversation[] {
    return this.all.filter((one) => one.state === "request");
  }

  get unread(): number {
    return this.conversations.reduce((sum, one) => sum + (one.muted ? 0 : one.unread), 0);
  }

  find(id: string): FakeConversation | undefined {
    return this.all.find((one) => one.id === id);
  }

  open(id: string): FakeConversation | undefined {
    const found = this.find(id);
    void found?.appear();
    return found;
  }

  leave(): void {}

  async start(address: string): Promise<Conversation> {
    const known = this.all.find((one) => one.address === address);
    if (known) return known;
    await new Promise((done) => setTimeout(done, 400));
    const name = address.split("@")[0]!;
    if (name === "nobody") throw new Refusal("no_account", "There is no such account here.", 404);
    const made = new FakeConversation(address, { name, state: "contact", gone: (one) => this.drop(one) });
    this.all = [made, ...this.all];
    return made;
  }

  async search(text: string): Promise<Hit[]> {
    const wanted = text.toLowerCase();
    return this.all
      .flatMap((one) => one.everything.map((message) => ({ one, message })))
      .filter(({ message }) => message.text.toLowerCase().includes(wanted))
      .map(({ one, message: { id, text: found, sent, mine } }) => ({
        conversation: one.id,
        message: id,
        text: found,
        sent,
        mine,
      }))
      .toSorted((a, b) => b.sent - a.sent)
      .slice(0, 100);
  }

  async takeOver(): Promise<void> {
    this.phase = "ready";
  }

  async changeSettings(settings: Partial<Settings>): Promise<void> {
    this.settings = { ...this.settings, ...settings };
  }

  async ignore(name: string, ignored: boolean): Promise<void> {
    const others = [...this.ignored].filter((one) => one !== name);
    this.ignored = new Set(ignored ? [...others, name] : others);
  }

  async changeProfile({ picture, ...words }: ProfileChange): Promise<void> {
    if (this.me) this.me = { ...this.me, ...words };
    if (words.zone !== undefined) zone.use(words.zone);
    if (picture === undefined || !this.me) return;
    this.me = { ...this.me, picture: picture ? "chosen" : "" };
    this.#picture = picture ? dataUrl(picture) : undefined;
  }

  picture(identity: string): string | undefined {
    return identity === this.me?.identity ? this.#picture : undefined;
  }

  async removeDevice(id: string): Promise<void> {
    if (this.me) this.me = { ...this.me, devices: this.me.devices.filter((one) => one.id !== id) };
  }

  async dismissAlarm(): Promise<void> {
    this.alarm = null;
    this.phase = "ready";
  }

  scanned(text: string): Scanned | undefined {
    const conversation = this.all.find((one) => one.safety?.qr === text);
    if (conversation) return { conversation, matches: true };
    return text.startsWith("ISLAND-SAFETY:") ? { conversation: null, matches: false } : undefined;
  }

  drop(one: FakeConversation): void {
    this.all = this.all.filter((other) => other !== one);
  }
}

function when(one: FakeConversation): number {
  return one.last?.sent ?? 0;
}

function people(now: number): FakeConversation[] {
  const at = (name: string, seed: number): string => `${name}@${onion(seed)}`;
  return [
    new FakeConversation(at("marta", 2), {
      display: "Marta",
      verified: true,
      unread: 0,
      typing: true,
      lines: [...history(600), ...marta(now)],
      timer: 7 * 86_400,
      devices: 2,
    }),
    new FakeConversation(at("noura", 7), {
      display: "نورا",
      zone: "Asia/Kathmandu",
      unread: 2,
      lines: noura(),
    }),
    new FakeConversation(at("jonas", 1), {
      display: "Jonas Lindqvist",
      lines: jonas(),
      keyChange: { hour: Math.floor(now / 3600) - 30 },
      hereNow: true,
      draft: "I shall be there by",
    }),
    new FakeConversation(at("ferry-office", 9), { state: "request", lines: ferry(), unread: 1 }),
    new FakeConversation(at("harbour.master", 11), {
      display: "Harbour master of the northern islands and their outer skerries",
      muted: true,
      unread: 14,
      lines: [
        { ago: 26 * 3600, text: "The harbour is closed on Sunday because of the regatta. ".repeat(4).trim() },
      ],
    }),
    new FakeConversation(at("spam", 12), {
      state: "blocked",
      lines: [{ ago: 40 * 86_400, text: "Win a boat!" }],
    }),
  ];
}
