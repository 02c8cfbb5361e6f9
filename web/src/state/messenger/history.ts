/** The stretches of one conversation's log, newest first, from all devices of the account. */
import { toHex } from "../../protocol/bytes.ts";
import type { Core } from "./core.ts";
import { names, type LogEvent, type SegmentRecord, type TalkRecord } from "./records.ts";
import type { Timeline } from "./timeline.ts";

/** Messages that should be there before one stops loading. */
export const PAGE = 40;
const AT_ONCE = 4;

export class History {
  /** By device: the lowest stretch that was loaded, and the second of its first event. */
  #loaded = new Map<string, { lowest: number; highest: number; since: number }>();
  #running: Promise<void> | undefined;
  /** The version of the talk record up to which the log was looked at. */
  #asOf = 0;
  /** Everything from this second on is there. */
  from = 0;

  constructor(
    readonly core: Core,
    readonly conversation: string,
    readonly timeline: Timeline,
    /** New events are in the timeline. */
    readonly loaded: (events: readonly LogEvent[]) => void,
  ) {}

  get begun(): boolean {
    // What this device wrote itself says nothing of what the others did.
    return Object.keys(this.#segments()).every((device) => this.#loaded.has(device));
  }

  get more(): boolean {
    return Object.entries(this.#segments()).some(([device]) => (this.#loaded.get(device)?.lowest ?? 2) > 1);
  }

  /** Load the newest messages, if that was not done. */
  async begin(): Promise<void> {
    if (!this.begun) await this.older();
  }

  /** Load about one page more. */
  older(): Promise<void> {
    this.#running ??= this.#older().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #older(): Promise<void> {
    const before = this.timeline.shown(this.from).length;
    do {
      const wanted = this.#next();
      if (wanted.length === 0) break;
      await this.#load(wanted);
    } while (this.timeline.shown(this.from).length < before + PAGE && this.more);
  }

  /** Have the log at least as new as how the conversation is known to stand. */
  async current(): Promise<void> {
    const version = this.core.vault.version(names.talk(this.conversation));
    if (version !== this.#asOf) await this.newer();
    this.#asOf = version;
  }

  /** Load back until a message is there. */
  async reach(id: string): Promise<void> {
    await this.begin();
    await this.current();
    while (!this.timeline.has(id) && this.more) await this.older();
  }

  /** Load the stretches in which there may be something that disappears; their names. */
  async timed(): Promise<string[]> {
    await this.begin();
    const talk = this.core.vault.peek(names.talk(this.conversation)) as unknown as TalkRecord | undefined;
    const wanted = Object.entries(talk?.timed ?? {}).flatMap(([device, first]) =>
      Array.from({ length: (talk!.segments[device] ?? 0) - first + 1 }, (_, at): [string, number] => [
        device,
        first + at,
      ]),
    );
    const fresh = wanted.filter(
      ([device, number]) => number < (this.#loaded.get(device)?.lowest ?? Infinity),
    );
    if (fresh.length > 0) await this.#load(fresh);
    return wanted.map(([device, number]) => names.segment(device, this.conversation, number));
  }

  /** What other devices have added. */
  async newer(): Promise<void> {
    const wanted: [string, number][] = [];
    for (const [device, count] of Object.entries(this.#segments())) {
      const loaded = this.#loaded.get(device);
      if (loaded) for (let at = loaded.highest; at <= count; at++) wanted.push([device, at]);
      else if (this.#loaded.size > 0 || count === 1) wanted.push([device, count]);
    }
    if (wanted.length > 0) await this.#load(wanted);
  }

  #segments(): Record<string, number> {
    const talk = this.core.vault.peek(names.talk(this.conversation)) as unknown as TalkRecord | undefined;
    return talk?.segments ?? {};
  }

  /** The stretches that hide most: of devices never looked at, else of the one whose loaded part begins last. */
  #next(): [string, number][] {
    const fresh = Object.entries(this.#segments()).filter(([device]) => !this.#loaded.has(device));
    if (fresh.length > 0) return fresh;
    const open = [...this.#loaded].filter(([, { lowest }]) => lowest > 1);
    const latest = open.sort((a, b) => b[1].since - a[1].since)[0];
    if (!latest) return [];
    const [device, { lowest }] = latest;
    const next: [string, number][] = [];
    for (let at = lowest - 1; at >= Math.max(1, lowest - AT_ONCE); at--) next.push([device, at]);
    return next;
  }

  async #load(wanted: readonly [string, number][]): Promise<void> {
    const records = wanted.map(([device, number]) => names.segment(device, this.conversation, number));
    const segments = (await this.core.vault.read(records)) as unknown as (SegmentRecord | undefined)[];
    for (const [at, [device, number]] of wanted.entries()) {
      const events = segments[at]?.events ?? [];
      const loaded = this.#loaded.get(device);
      this.#loaded.set(device, {
        lowest: Math.min(number, loaded?.lowest ?? number),
        highest: Math.max(number, loaded?.highest ?? number),
        since: Math.min(events[0]?.at ?? Infinity, loaded?.since ?? Infinity),
      });
      this.take(events);
    }
    this.#settle();
    this.loaded([]);
  }

  /** Put events into the timeline and tell the dispatcher what left with what. */
  take(events: readonly LogEvent[]): void {
    this.timeline.apply(events);
    for (const event of events)
      if (event.k === "m" && event.d) {
        if (event.c.kind === "attachment") this.core.dispatcher.learn(this.conversation, event.c.id);
        this.core.dispatcher.messages.set(toHex(event.d), {
          conversation: this.conversation,
          id: toHex(event.c.id),
        });
      }
  }

  /** This device has written on; its newest stretch is in memory already. */
  wrote(): void {
    const device = this.core.seat.id;
    const count = this.#segments()[device] ?? 0;
    const loaded = this.#loaded.get(device);
    if (loaded) {
      loaded.highest = count;
      return;
    }
    const name = names.segment(device, this.conversation, count);
    const record = this.core.vault.peek(name) as unknown as SegmentRecord | undefined;
    if (!record) return;
    this.take(record.events);
    this.#loaded.set(device, { lowest: count, highest: count, since: record.events[0]?.at ?? 0 });
    this.#settle();
  }

  #settle(): void {
    const open = [...this.#loaded.values()].filter(({ lowest }) => lowest > 1);
    this.from = open.length > 0 ? Math.max(...open.map(({ since }) => (since === Infinity ? 0 : since))) : 0;
  }

  /** Names of all stretches there are, for search, scrubbing and forgetting. */
  all(): string[] {
    return Object.entries(this.#segments()).flatMap(([device, count]) =>
      Array.from({ length: count }, (_, at) => names.segment(device, this.conversation, at + 1)),
    );
  }
}
