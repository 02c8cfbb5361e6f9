/** The messages of one signed-in account: everything put together, opened step by step, and closed again. */
import type { Session } from "../../protocol/account.ts";
import { toHex } from "../../protocol/bytes.ts";
import { signingPublic } from "../../protocol/keys.ts";
import type { OwnDevice } from "../../protocol/pqxdh.ts";
import type { Event } from "../../protocol/post.ts";
import { Refusal } from "../api.ts";
import type { Locker } from "../locker.ts";
import { ChannelsDesk } from "../channels/desk.svelte.ts";
import { random } from "../random.ts";
import { Vault } from "../vault/vault.ts";
import { tidings } from "../tidings.svelte.ts";
import { isOffline, type Wire } from "../wire.ts";
import { Chats } from "./chats.svelte.ts";
import { Dispatcher } from "./dispatcher.ts";
import { Listening } from "./events.ts";
import { Files } from "./files.ts";
import { Inbound } from "./inbound.ts";
import { Ledger } from "./ledger.ts";
import { Outbound } from "./outbound.ts";
import { Parts } from "./parts.ts";
import { People } from "./people.ts";
import { Reading } from "./reading.ts";
import { Receipts } from "./receipts.ts";
import { Appearance } from "./appearance.svelte.ts";
import {
  names,
  newAccount,
  type AccountRecord,
  type HeadRecord,
  type KeysRecord,
  type SeatRow,
} from "./records.ts";
import { Resync } from "./resync.ts";
import { Routes } from "./routes.ts";
import { rememberSeat, takeSeat, type Seat, type Surroundings } from "./seat.ts";
import { Signals } from "./signals.ts";
import type { Alarm, Messenger, Phase, Progress } from "./types.ts";
import { Unsent } from "./unsent.ts";
import { Uploads } from "./uploads.ts";
import { Upkeep } from "./upkeep.ts";

/** What the core tells the pages' object. */
export interface Stage {
  phase: Phase;
  alarm: Alarm | null;
  progress: Progress | null;
  connection: Messenger["connection"];
  here: readonly string[];
  readonly ignored: ReadonlySet<string>;
  changed(): void;
}

export interface Options {
  wire: Wire;
  locker: Locker;
  session: Session;
  vaultKey: Uint8Array;
  fresh: boolean;
  label: string;
  /** What the sign-in may do has changed. */
  renewed?: (session: Session) => void;
  /** Unix seconds. */
  now?: () => number;
  /** Milliseconds to wait for an answer to a knock. */
  patience?: number;
  pauses?: number[];
  /** One-time prekeys to keep in stock. */
  stock?: number;
}

const HOUR = 3600;
const PAUSES = [500, 1_000, 2_000, 5_000, 10_000, 20_000];
const KNOCK = 12_000;
const CHORES = 10 * 60_000;
const PULL_TOGETHER = 50;

export class Core {
  closed = false;
  vault!: Vault;
  ledger!: Ledger;
  seat!: Seat;
  readonly people = new People(this);
  readonly appearance = new Appearance(this);
  readonly chats = new Chats(this);
  readonly outbound = new Outbound(this);
  readonly unsent = new Unsent(this);
  readonly dispatcher = new Dispatcher(this);
  readonly inbound = new Inbound(this);
  readonly reading = new Reading(this);
  readonly receipts = new Receipts(this);
  readonly resync = new Resync(this);
  readonly routes = new Routes(this);
  readonly upkeep = new Upkeep(this);
  readonly files = new Files(this);
  readonly parts = new Parts(this);
  readonly uploads = new Uploads(this);
  readonly signals = new Signals(this);
  /** Told of every event, and of every record that another device wrote: boards and channels. */
  readonly listeners = new Set<(event: Event) => void>();
  readonly rereads = new Set<(changed: readonly string[]) => void>();
  readonly channels = new ChannelsDesk(this);
  #listening: Listening | undefined;
  #chores: ReturnType<typeof setInterval> | undefined;
  #pulling: ReturnType<typeof setTimeout> | undefined;
  #wakes = new Set<() => void>();
  #identity: Uint8Array | undefined;
  #stamped = 0;

  constructor(
    readonly options: Options,
    readonly stage: Stage,
    /** Begin anew: this browser sits on another device now. */
    readonly restart: (setBack: boolean) => void,
  ) {
    options.wire.answered = () => this.offline(false);
    if (options.stock !== undefined) this.upkeep.stock = options.stock;
  }

  get wire(): Wire {
    return this.options.wire;
  }
  get session(): Session {
    return this.options.session;
  }
  now(): number {
    return Math.floor(this.options.now?.() ?? Date.now() / 1000);
  }
  /** Milliseconds, no two alike: the time of what this device logs. */
  stamp(): number {
    const now = Math.floor((this.options.now?.() ?? Date.now() / 1000) * 1000);
    this.#stamped = Math.max(now, this.#stamped + 1);
    return this.#stamped;
  }
  hour(): number {
    return Math.floor(this.now() / HOUR);
  }
  account(): AccountRecord {
    return this.vault.peek(names.account) as unknown as AccountRecord;
  }
  keys(): KeysRecord {
    return this.vault.peek(names.keys(this.seat.id)) as unknown as KeysRecord;
  }
  identity(): Uint8Array {
    this.#identity ??= signingPublic(this.account().seed);
    return this.#identity;
  }
  seatRow(): SeatRow {
    return this.account().devices.find((row) => toHex(row.device) === this.seat.id)!;
  }
  own(): OwnDevice {
    return { identity: this.identity(), device: this.seat.device, agreement: this.keys().agreement };
  }

  /** Read the vault, show the conversations, take a seat, and follow what happens. */
  async open(setBack: boolean): Promise<void> {
    const { wire, locker, session, vaultKey } = this.options;
    this.stage.progress = { what: "index", done: 0, total: 0 };
    this.vault = await Vault.open(wire, vaultKey, locker, toHex(session.account));
    this.vault.changed = (changed) => this.#changed(changed);
    const whole = await this.vault.refresh(toHex(session.epoch));
    await this.#account();
    // What a person does with the conversations before there is a seat waits in the ledger.
    this.ledger = new Ledger(this.vault, () => this.now(), {
      displaced: (rolledBack) => this.#displaced(rolledBack),
      offline: (offline) => this.offline(offline),
    });
    if (this.options.pauses) this.ledger.pauses = this.options.pauses;
    await this.chats.load();
    this.stage.changed();
    this.stage.progress = { what: "devices", done: 0, total: 0 };
    const around = this.#surroundings();
    this.seat = await takeSeat(around, setBack || !whole);
    await this.vault.read([names.keys(this.seat.id), names.prekeys(this.seat.id), names.knock]);
    this.ledger.saved = () => void rememberSeat(around, this.seat);
    await this.files.load();
    await this.uploads.load();
    this.ledger.begin(this.seat.id);
    this.stage.progress = null;
    this.stage.phase = "ready";
    this.stage.changed();
    void this.unsent
      .resume()
      .catch(() => undefined)
      .then(() => this.uploads.resume())
      .catch(() => undefined);
    void this.channels.start().catch(() => undefined);
    this.#listening = new Listening(
      this,
      (connection) => this.#connection(connection),
      (event) => {
        tidings.hear(event);
        this.#heard(event);
      },
    );
    this.#listening.start();
    this.#chores = setInterval(() => void this.#tidy(), CHORES);
    const visible = this.account().settings.presence;
    void this.wire.post("/v1/presence", { visible }).catch(() => undefined);
    await this.steady(() => this.upkeep.settle()).catch((error: unknown) => this.#trouble(error));
    await this.#reconcile(true);
  }

  #surroundings(): Surroundings {
    const { wire, locker, session, label } = this.options;
    const patience = this.options.patience ?? KNOCK;
    return { wire, vault: this.vault, locker, session, now: () => this.now(), label, patience };
  }

  /** The account record; made here for an account that was registered just now. */
  async #account(): Promise<void> {
    let found: unknown;
    try {
      [found] = await this.vault.read([names.account]);
    } catch (error) {
      if ((error as { code?: string }).code === "not_opened") return this.alarm({ kind: "vault" });
      throw error;
    }
    if (found) return;
    // An empty vault is right only where the directory knows nobody of this name either.
    const published = this.options.fresh ? null : await this.wire.get<{ entry: unknown }>("/v1/prekeys");
    if (published?.entry) {
      this.alarm({ kind: "vault" });
      throw new Refusal("damaged_store", "", 0);
    }
    const record = newAccount(this.session, random(32));
    await this.vault.commit([{ name: names.account, step: (now) => now ?? (record as never) }]);
  }

  /** After every new beginning: look at everything once. */
  async #reconcile(first = false): Promise<void> {
    // What other devices of the account took in counts before the queue is read.
    await this.vault.pull().finally(() => this.inbound.look());
    const known = await this.dispatcher.look();
    if (first) await this.dispatcher.recover(known);
    await this.chats.sweep();
  }

  #heard(event: Event): void {
    for (const listener of this.listeners) listener(event);
    switch (event.kind) {
      case "hello":
      case "reset":
        void this.steady(() => this.#reconcile()).catch((error: unknown) => this.#trouble(error));
        break;
      case "mail":
        if (event.queued?.length) this.inbound.offer(event.queued);
        else this.inbound.look();
        break;
      case "dispatch":
        if (event.dispatch) this.dispatcher.heard(event.dispatch);
        break;
      case "vault":
        if ((event.revision ?? Infinity) > this.vault.revision) this.#pullSoon();
        break;
      case "prekeys":
        void this.upkeep.fill(event.left ?? 0).catch(() => undefined);
        break;
      case "routes":
        void this.routes
          .settle()
          .then(() => this.upkeep.settle())
          .catch(() => undefined);
        break;
      case "signal":
        if (event.handle && event.envelope)
          void this.signals.heard(event.handle, event.envelope).catch(() => undefined);
        break;
      case "here":
        this.stage.here = event.names ?? [];
    }
  }

  #pullSoon(): void {
    this.#pulling ??= setTimeout(() => {
      this.#pulling = undefined;
      void this.vault.pull().catch((error: unknown) => this.#trouble(error));
    }, PULL_TOGETHER);
  }

  /** Another device of the account wrote. */
  #changed(changed: string[]): void {
    if (!(this.ledger as Ledger | undefined)?.device) return;
    if (changed.includes(names.head(this.seat.id))) {
      const head = this.vault.peek(names.head(this.seat.id)) as unknown as HeadRecord | undefined;
      if (!head || toHex(head.instance) !== toHex(this.seat.instance)) return this.#displaced(false);
    }
    if (changed.includes(names.knock))
      void this.ledger.run((batch) => void (batch.touch = true)).catch(() => undefined);
    if (changed.includes(names.account)) this.routes.look(); // whom only this device can tell of the new profile
    if (changed.includes(names.index)) void this.chats.load().catch(() => undefined);
    for (const name of changed) {
      const [kind, id] = name.split("/");
      const chat = id ? this.chats.get(id) : undefined;
      if (!chat || (kind !== "talk" && kind !== "person")) continue;
      chat.refresh();
      if (kind === "talk") void chat.history.newer().catch(() => undefined);
    }
    if (changed.includes(names.uploads)) void this.uploads.load().catch(() => undefined);
    this.chats.reread(changed);
    for (const reread of this.rereads) reread(changed);
    this.stage.changed();
  }

  #connection(connection: Messenger["connection"]): void {
    this.stage.connection = connection;
    this.offline(connection === "offline");
  }

  /** The box does not answer, or does again. */
  offline(offline: boolean): void {
    const { phase } = this.stage;
    if (offline && phase === "ready") this.stage.phase = "offline";
    if (!offline && phase === "offline") {
      this.stage.phase = "ready";
      this.wake();
    }
  }

  alarm(alarm: Alarm): void {
    this.stage.alarm = alarm;
    this.stage.phase = "alarm";
  }

  #displaced(rolledBack: boolean): void {
    if (this.closed) return;
    void this.close(false).then(() => this.restart(rolledBack));
  }

  #trouble(error: unknown): void {
    if (isOffline(error)) this.offline(true);
    const code = (error as { code?: string }).code;
    // The vault is set back behind what was read: this device may not go on.
    if (code === "vault_old") this.#displaced(true);
  }

  async #tidy(): Promise<void> {
    for (const chat of this.chats.all) if (chat.opened) chat.update();
    this.channels.tidy();
    // Where messages disappear they do so also when nobody looks.
    await this.chats.sweep().catch(() => undefined);
    await this.upkeep.settle().catch(() => undefined);
  }

  /** Repeat what fails because the box cannot be reached, until it works or this is closed. */
  async steady<T>(run: () => Promise<T>): Promise<T> {
    for (let failures = 0; ; failures++) {
      try {
        return await run();
      } catch (error) {
        if (!isOffline(error) || this.closed) throw error;
        this.offline(true);
        await this.pause(failures);
      }
    }
  }

  /** Wait before trying again; shorter when the box is heard of again. */
  pause(failures: number): Promise<void> {
    const pauses = this.options.pauses ?? PAUSES;
    const milliseconds = pauses[Math.min(failures, pauses.length - 1)]!;
    return new Promise((done) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#wakes.delete(end);
        done();
      };
      const timer = setTimeout(end, milliseconds * (0.75 + Math.random() / 2));
      this.#wakes.add(end);
    });
  }

  wake(): void {
    for (const wake of this.#wakes) wake();
    (this.ledger as Ledger | undefined)?.wake();
  }

  /** Stop; with `leave` the seat is given up at once, so that another browser need not wait for it. */
  async close(leave: boolean): Promise<void> {
    if (this.closed) return;
    const ledger = this.ledger as Ledger | undefined;
    if (leave && ledger?.device) await this.leave().catch(() => undefined);
    this.closed = true;
    clearInterval(this.#chores);
    clearTimeout(this.#pulling);
    this.routes.stop();
    this.signals.stop();
    this.channels.stop();
    for (const chat of this.chats.all) chat.stop();
    this.#listening?.stop();
    this.wake();
    await ledger?.stop().catch(() => undefined);
  }

  /** Mark the seat as free; also from a page that is being closed. */
  async leave(): Promise<void> {
    await this.ledger.flush();
    await this.ledger.leave();
  }
}
