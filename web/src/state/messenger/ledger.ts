/**
 * The one place where a device's state changes. Every step runs alone, collects its changes in a `Batch`, and
 * counts only when the box has acknowledged all of them together: what leaves the device leaves in that commit, or
 * after it.
 * The head record goes with every batch; it is what keeps two browsers from writing for one device.
 */
import type { Value } from "../../protocol/cbor.ts";
import { equal, fromHex, toHex } from "../../protocol/bytes.ts";
import type { Dispatch } from "../../protocol/post.ts";
import type { Left } from "../../protocol/vault.ts";
import { random } from "../random.ts";
import { Displaced, type Edit, type Step, type Vault } from "../vault/vault.ts";
import { isOffline } from "../wire.ts";
import { noted } from "./expiry.ts";
import {
  names,
  type HeadRecord,
  type LogEvent,
  type SegmentRecord,
  type SessionRecord,
  type TalkRecord,
} from "./records.ts";

/** Octets of its sealed record after which a stretch of the log is full. */
const FULL = 8_192;
/** Milliseconds that changes without haste wait for others. */
const LATER = 3_000;

/** The changes of one step. */
export class Batch {
  readonly edits = new Map<string, { steps: Step[]; owned: boolean }>();
  /** Events by conversation, in order. */
  readonly events = new Map<string, LogEvent[]>();
  /** To be done as it leaves for the box, each time it is tried. */
  readonly underway: (() => void)[] = [];
  /** To be done once it counts. */
  readonly after: (() => void)[] = [];
  /** What leaves in the commit that saves it; `answered` hears what the box said, if that is known. */
  readonly leaving: { dispatch: Dispatch; answered: (left: Left | undefined) => void }[] = [];
  /** Numbers of the queue that were read: they are settled in the same commit. */
  readonly done: number[] = [];
  /** A stretch of work that changes nothing but tells that the device lives. */
  touch = false;
  left = false;
  head: ((head: HeadRecord) => HeadRecord)[] = [];

  constructor(
    readonly vault: Vault,
    readonly device: string,
  ) {}

  get empty(): boolean {
    return this.edits.size === 0 && this.events.size === 0 && this.head.length === 0 && !this.touch;
  }

  change<T>(name: string, step: (now: T | undefined) => T | undefined): void {
    const edit = this.edits.get(name) ?? { steps: [], owned: false };
    edit.steps.push(step as unknown as Step);
    this.edits.set(name, edit);
  }

  /** Write a record that only this device writes. */
  set(name: string, value: unknown): void {
    this.edits.set(name, { steps: [() => value as Value], owned: true });
  }

  async read<T>(name: string): Promise<T | undefined> {
    const pending = this.edits.get(name);
    let [value] = await this.vault.read([name]);
    if (pending) for (const step of pending.steps) value = step(value);
    return value as T | undefined;
  }

  log(conversation: string, event: LogEvent): void {
    const events = this.events.get(conversation) ?? [];
    events.push(event);
    this.events.set(conversation, events);
  }

  talk(conversation: string, step: (talk: TalkRecord) => TalkRecord): void {
    this.change<TalkRecord>(names.talk(conversation), (talk) => talk && step(talk));
  }
}

export interface LedgerEvents {
  /** Another browser sits on this device now. */
  displaced(rolledBack: boolean): void;
  /** The box cannot be reached (true), or again (false). */
  offline(offline: boolean): void;
}

export class Ledger {
  /** Resolves when there is a seat to write for; until then every step waits. */
  readonly begun: Promise<void>;
  /** The seat in hex; "" before `begin`. */
  device = "";
  #begin!: () => void;
  #tail: Promise<unknown>;
  #stopped = false;
  #checked = new Set<string>();
  #wake: (() => void) | undefined;
  #later: ((batch: Batch) => void)[] = [];
  #laterTimer: ReturnType<typeof setTimeout> | undefined;
  /** Called after each change that counts. */
  saved: () => void = () => {};
  /** Milliseconds; tests make it short. */
  pauses = [500, 1_000, 2_000, 5_000, 10_000, 20_000];

  constructor(
    readonly vault: Vault,
    readonly now: () => number,
    readonly heard: LedgerEvents,
  ) {
    this.begun = new Promise((begin) => (this.#begin = begin));
    this.#tail = this.begun;
  }

  /** There is a seat: what was asked for meanwhile is done now. */
  begin(device: string): void {
    this.device = device;
    this.#begin();
  }

  /** Join the next step, or one of its own after a while: for what may wait (drafts, marks). */
  later(change: (batch: Batch) => void): void {
    this.#later.push(change);
    this.#laterTimer ??= setTimeout(() => void this.flush().catch(() => undefined), LATER);
  }

  /** Write now what was put off. */
  flush(): Promise<void> {
    return this.#later.length > 0 ? this.run(() => undefined) : Promise.resolve();
  }

  get head(): HeadRecord {
    return this.vault.peek(names.head(this.device)) as unknown as HeadRecord;
  }

  /** Run a step alone; resolves when its changes are acknowledged by the box. */
  run<T>(step: (batch: Batch) => Promise<T> | T): Promise<T> {
    const turn = this.#tail.then(() => this.#step(step));
    this.#tail = turn.catch(() => undefined);
    return turn;
  }

  /** Nothing more is written. Resolves when what is being written is. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#laterTimer);
    this.#begin();
    this.#wake?.();
    await this.#tail;
  }

  /** Give the seat up, as the last thing that is written. */
  leave(): Promise<void> {
    return this.run((batch) => {
      batch.touch = true;
      batch.left = true;
    });
  }

  /** Try again now what waits for the box. */
  wake(): void {
    this.#wake?.();
  }

  /** The session record with a peer's device (hex), checked against the head. */
  async session(batch: Batch, peer: string): Promise<SessionRecord | undefined> {
    const name = names.session(this.device, peer);
    const record = await batch.read<SessionRecord>(name);
    if (this.#checked.has(peer)) return record;
    this.#checked.add(peer);
    const mark = this.head.sessions.find((one) => equal(one.peer, fromHex(peer)));
    if ((mark?.version ?? 0) === this.vault.version(name)) return record;
    this.#stopped = true;
    this.heard.displaced(true);
    throw new Displaced();
  }

  /** The peers' devices (hex) there are sessions with, those of this batch included. */
  peers(batch: Batch): string[] {
    const prefix = names.session(this.device, "");
    const fresh = [...batch.edits.keys()].filter((name) => name.startsWith(prefix));
    const all = [
      ...this.head.sessions.map((mark) => toHex(mark.peer)),
      ...fresh.map((name) => name.slice(prefix.length)),
    ];
    return [...new Set(all)];
  }

  async #step<T>(step: (batch: Batch) => Promise<T> | T): Promise<T> {
    if (this.#stopped) throw new Displaced();
    const batch = new Batch(this.vault, this.device);
    clearTimeout(this.#laterTimer);
    this.#laterTimer = undefined;
    const waiting = this.#later.splice(0);
    let result: T;
    try {
      for (const change of waiting) change(batch);
      result = await step(batch);
      if (!batch.empty) await this.#persist(batch);
    } catch (error) {
      this.#later.unshift(...waiting);
      throw error;
    }
    for (const after of batch.after) after();
    return result;
  }

  async #persist(batch: Batch): Promise<void> {
    await this.#place(batch);
    const write = random(8);
    const head = this.#nextHead(batch, write);
    batch.set(names.head(this.device), head);
    const edits: Edit[] = [...batch.edits].map(([name, { steps, owned }]) => ({
      name,
      owned,
      step: (now) => steps.reduce((value, one) => one(value), now),
    }));
    const dispatches = batch.leaving.map((one) => one.dispatch);
    const underway = (): void => {
      for (const run of batch.underway) run();
    };
    const written = (): boolean => {
      const there = this.vault.peek(names.head(this.device)) as unknown as HeadRecord | undefined;
      return there !== undefined && equal(there.write, write);
    };
    for (let failures = 0; ; failures++) {
      try {
        const { done, left: keepalive } = batch;
        const left = await this.vault.commit(edits, { written, dispatches, done, underway, keepalive });
        if (failures > 0) this.heard.offline(false);
        this.saved();
        for (const [at, { answered }] of batch.leaving.entries()) batch.after.push(() => answered(left[at]));
        return;
      } catch (error) {
        if (error instanceof Displaced) {
          this.#stopped = true;
          this.heard.displaced(this.head.generation < head.generation - 1);
        }
        if (!isOffline(error) || this.#stopped) throw error;
        this.heard.offline(true);
        await this.#pause(this.pauses[Math.min(failures, this.pauses.length - 1)]!);
      }
    }
  }

  /** Put the events at the end of this device's log of each conversation. */
  async #place(batch: Batch): Promise<void> {
    for (const [conversation, events] of batch.events) {
      const talk = await batch.read<TalkRecord>(names.talk(conversation));
      const count = talk?.segments[this.device] ?? 0;
      const [last] =
        count > 0 ? await this.vault.read([names.segment(this.device, conversation, count)]) : [];
      const octets =
        last === undefined ? 0 : this.vault.octets(names.segment(this.device, conversation, count));
      const full = octets === 0 || octets > FULL;
      const number = full ? count + 1 : count;
      const name = names.segment(this.device, conversation, number);
      batch.change<SegmentRecord>(name, (segment) => ({
        v: 1,
        events: [...(segment?.events ?? []), ...events],
      }));
      batch.talk(conversation, (now) => noted(now, this.device, number, events));
      if (full)
        batch.talk(conversation, (now) => ({ ...now, segments: { ...now.segments, [this.device]: number } }));
    }
  }

  #nextHead(batch: Batch, write: Uint8Array): HeadRecord {
    let head = batch.head.reduce((value, step) => step(value), this.head);
    const prefix = names.session(this.device, "");
    for (const [name, edit] of batch.edits) {
      if (!name.startsWith(prefix)) continue;
      const peer = fromHex(name.slice(prefix.length));
      const record = edit.steps.reduce<Value | undefined>((value, one) => one(value), undefined);
      const others = head.sessions.filter((one) => !equal(one.peer, peer));
      const handle = (record as unknown as SessionRecord | undefined)?.handle;
      const version = this.vault.version(name) + 1;
      head = { ...head, sessions: handle ? [...others, { handle, peer, version }] : others };
    }
    return { ...head, generation: head.generation + 1, write, alive: this.now(), left: batch.left };
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((done) => {
      const timer = setTimeout(done, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        done();
      };
    });
  }
}
