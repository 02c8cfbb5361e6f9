/** Dispatches: handed to the box one after the other until it has them, and how it stands with each. */
import { equal, fromHex, toHex } from "../../protocol/bytes.ts";
import type { Dispatch, DispatchState, Dispatches, Leg } from "../../protocol/post.ts";
import { MAX_DISPATCHES, type Left } from "../../protocol/vault.ts";
import { Refusal } from "../api.ts";
import { isOffline } from "../wire.ts";
import type { Core } from "./core.ts";
import type { Batch } from "./ledger.ts";
import { names, type OutgoingRecord, type SessionRecord } from "./records.ts";
import type { Entry } from "./timeline.ts";
import { markIn, markOf, together } from "./whole.ts";

/** Refusal codes of a leg that say: the routes are not good any more. */
const BOUNCED = new Set(["no_mailbox", "capability", "no_account"]);
/** Refusal codes that pass: the next start tries again. */
const LATER = new Set(["unreachable", "tor_off", "busy", "too_many"]);
/** Refusals that say nothing of the dispatch: the box will take it later. */
const HELD_UP = new Set(["too_many", "disk_full", "locked", "fault"]);
const HOURS = 336;
/** Octets of envelopes that go with a change of the vault; beyond, they go after it. */
const WITH_A_CHANGE = 256 * 1024;
/** Seconds after which what another device of ours saved has surely been handed over. */
const SOON = 60;
/** Hours after which a dispatch the box does not know was done long ago. */
const FORGOTTEN = 24 * 14;

/** How it stands with all dispatches of a message; `held`: parts of it wait here still, or are given up. */
export interface Whole {
  state: DispatchState | undefined;
  held: boolean;
}

/** Told once: the box has it, or why it never will. */
export type Done = (error?: unknown) => void;

interface Job {
  dispatch: Dispatch;
  done: Done | undefined;
}

export class Dispatcher {
  readonly states = new Map<string, DispatchState>();
  /** Which message left with a dispatch. */
  readonly messages = new Map<string, { conversation: string; id: string }>();
  /** Dispatches by the mark in their ids, and the attachments with that mark. */
  readonly #parts = new Map<string, Set<string>>();
  readonly #marked = new Map<string, { conversation: string; id: string }>();
  #jobs: Job[] = [];
  #running = false;
  #bounced = new Set<string>();
  #lookedAt = 0;
  /** Dispatches the box has not answered for. */
  readonly #open = new Set<string>();
  #recovered = false;

  constructor(readonly core: Core) {}

  /** Leave in the commit that saves what was sealed: one way to the box for both. What waits here goes first. */
  leave(batch: Batch, dispatch: Dispatch, done?: Done): void {
    const octets = batch.leaving.reduce((sum, one) => sum + octetsOf(one.dispatch), octetsOf(dispatch));
    if (this.#jobs.length > 0 || batch.leaving.length === MAX_DISPATCHES || octets > WITH_A_CHANGE)
      return void batch.after.push(() => this.#send(dispatch, done));
    const whole = { hours: HOURS, ...dispatch };
    batch.leaving.push({ dispatch: whole, answered: (left) => this.#answered(whole, left, done) });
  }

  #answered(dispatch: Dispatch, left: Left | undefined, done?: Done): void {
    if (left?.state) {
      this.#left(dispatch.id);
      this.heard(left.state);
      done?.();
    } else if (left?.refused && !HELD_UP.has(left.refused)) {
      const refusal = new Refusal(left.refused, "", 409);
      this.#refused(dispatch.id, refusal);
      done?.(refusal);
    } else this.#send(dispatch, done);
  }

  /** Hand over; what was sealed is saved already. */
  #send(dispatch: Dispatch, done?: Done): void {
    this.#put({ dispatch: { hours: HOURS, ...dispatch }, done });
  }

  /** The same, waiting until the box has it. */
  sendNow(dispatch: Dispatch): Promise<void> {
    const { done, left } = leaving();
    this.#send(dispatch, done);
    return left;
  }

  #put(job: Job): void {
    const id = toHex(job.dispatch.id);
    this.#jobs.push(job);
    this.#open.add(id);
    this.#touch(id);
    void this.#run();
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    for (let failures = 0; this.#jobs.length > 0 && !this.core.closed;) {
      const job = this.#jobs[0]!;
      try {
        const state = await this.core.wire.post<DispatchState>("/v1/dispatch", job.dispatch);
        failures = 0;
        this.#jobs.shift();
        this.#left(job.dispatch.id);
        this.heard(state);
        job.done?.();
      } catch (error) {
        if (isOffline(error) || HELD_UP.has((error as { code?: string }).code ?? "")) {
          if (isOffline(error)) this.core.offline(true);
          await this.core.pause(failures++);
          continue;
        }
        this.#jobs.shift();
        this.#refused(job.dispatch.id, error);
        job.done?.(error);
      }
    }
    this.#running = false;
  }

  #left(id: Uint8Array): void {
    this.#open.delete(toHex(id));
    const name = names.outgoing(this.core.seat.id);
    this.core.ledger.later((batch) =>
      batch.change<OutgoingRecord>(name, (now) => {
        if (!now?.entries.some((entry) => equal(entry.dispatch, id))) return now;
        return { v: 1, entries: now.entries.filter((entry) => !equal(entry.dispatch, id)) };
      }),
    );
  }

  #refused(id: Uint8Array, error: unknown): void {
    this.#left(id);
    const message = this.messages.get(toHex(id));
    if (!message) return;
    const code = error instanceof Refusal ? error.code : "fault";
    const event = { k: "f", at: this.core.stamp(), id: fromHex(message.id), code } as const;
    void this.core.ledger.run((batch) => batch.log(message.conversation, event)).catch(() => undefined);
    this.core.chats.get(message.conversation)?.show([event]);
  }

  /** How it stands with a dispatch, from an answer or an event. */
  heard(state: DispatchState): void {
    const id = toHex(state.id);
    this.states.set(id, state);
    const mark = markIn(state.id);
    this.#parts.set(mark, (this.#parts.get(mark) ?? new Set()).add(id));
    this.#touch(id);
    for (const leg of state.legs)
      if (leg.state === "given_up") void this.#bounce(id, leg).catch(() => undefined);
  }

  /** Ask how it stands with all of them. */
  async look(): Promise<Set<string>> {
    const answer = await this.core.wire.get<Dispatches>("/v1/dispatch");
    this.#lookedAt = this.core.now();
    for (const state of answer.dispatches) this.heard(state);
    return new Set(answer.dispatches.map((state) => toHex(state.id)));
  }

  /** An attachment whose chunks leave with dispatches of their own. */
  learn(conversation: string, id: Uint8Array): void {
    this.#marked.set(toHex(markOf(id)), { conversation, id: toHex(id) });
  }

  /** How it stands with a message and those of its parts that are not with everybody's box. */
  whole(entry: Entry): Whole {
    const own = entry.dispatch === null ? undefined : this.states.get(entry.dispatch);
    const ids =
      entry.content?.kind === "attachment" ? this.#parts.get(toHex(markOf(entry.content.id))) : null;
    const parts = [...(ids ?? [])].map((id) => this.states.get(id)!);
    const open = parts.filter(({ legs }) => legs.some((leg) => leg.state !== "box"));
    const state = together(own ? [own, ...open] : open);
    return { state, held: open.length > 0 && ["waiting", "failed"].includes(summary(state).state) };
  }

  #touch(id: string): void {
    const message = this.messages.get(id) ?? this.#marked.get(id.slice(0, 16));
    if (message) this.core.chats.get(message.conversation)?.touch(message.id);
  }

  /** Whether it is known how it stands with what an earlier page handed over. */
  get looked(): boolean {
    return this.#lookedAt > 0;
  }

  /** Whether a dispatch waits here, or may still arrive from where it is. */
  isUnderway(id: string): boolean {
    const legs = this.states.get(id)?.legs ?? [];
    return this.#open.has(id) || legs.some((leg) => leg.state !== "box" && leg.state !== "given_up");
  }

  /** Whether a message left and nothing more happens to it: the box lists only what has a way to go. */
  isOver(entry: Entry): boolean {
    return (
      entry.dispatch !== null &&
      this.#recovered &&
      this.#lookedAt > entry.at / 1000 + SOON &&
      !this.#open.has(entry.dispatch) &&
      !this.states.has(entry.dispatch)
    );
  }

  /** After a start: send anew what was saved and does not seem to have left. */
  async recover(known: Set<string>): Promise<void> {
    const name = names.outgoing(this.core.seat.id);
    const [record] = await this.core.vault.read([name]);
    const entries = (record as unknown as OutgoingRecord | undefined)?.entries ?? [];
    for (const entry of entries) {
      const left = known.has(toHex(entry.dispatch)) || this.core.hour() - entry.hour > FORGOTTEN;
      try {
        // What is sent anew takes the place of its entry, and leaves it when the box has answered.
        const again = !left && (await this.core.chats.resend(entry.conversation, entry.id));
        if (!again) this.#left(entry.dispatch);
      } catch (error) {
        if (passes(error)) this.#open.add(toHex(entry.dispatch));
        else this.#refused(entry.dispatch, error);
      }
    }
    this.#recovered = true;
    for (const id of this.messages.keys()) if (!this.states.has(id)) this.#touch(id);
  }

  /** The other side's mailbox is gone: look them up again and send this message once more. */
  async #bounce(id: string, leg: Leg): Promise<void> {
    const message = this.messages.get(id);
    const key = `${id}/${toHex(leg.handle)}`;
    if (!leg.reason || !BOUNCED.has(leg.reason) || this.#bounced.has(key)) return;
    const { sessions } = this.core.ledger.head;
    const mark = sessions.find((one) => equal(one.handle, leg.handle));
    if (!message) {
      if (!mark) return;
      this.#bounced.add(key);
      return this.core.routes.bounced(id, mark.peer);
    }
    const chat = this.core.chats.get(message.conversation);
    // It came there another way: what the box still lists of it says nothing of the routes of today.
    if (!mark || chat?.timeline.entries.get(message.id)?.delivered.has(toHex(mark.peer))) return;
    this.#bounced.add(key);
    try {
      const { devices } = await this.core.people.refresh(message.conversation);
      await this.#newRoutes(mark.peer);
      if (devices.some(({ device }) => equal(device, mark.peer)))
        await this.core.chats.resend(message.conversation, fromHex(message.id), mark.peer);
      else {
        // That device is no more; those that came since are told, and who has it already counts it once.
        const legs = this.states.get(id)?.legs ?? [];
        const had = sessions.filter((one) => legs.some(({ handle }) => equal(handle, one.handle)));
        const isNew = (device: Uint8Array): boolean => !had.some(({ peer }) => equal(peer, device));
        if (!devices.some(({ device }) => isNew(device)) || this.#bounced.has(id)) return;
        this.#bounced.add(id);
        await this.core.chats.resend(message.conversation, fromHex(message.id));
      }
    } catch (error) {
      // The box tells of this leg again when it is asked again.
      if (passes(error)) this.#bounced.delete(key);
    }
  }

  /** Write to a device's request mailbox until it tells of another one. */
  async #newRoutes(device: Uint8Array): Promise<void> {
    const peer = toHex(device);
    await this.core.ledger.run(async (batch) => {
      const record = await this.core.ledger.session(batch, peer);
      const routes = [...(this.core.people.bundle(device)?.routes ?? [])];
      if (record) batch.set(names.session(this.core.seat.id, peer), { ...record, routes } as SessionRecord);
    });
  }
}

/** Something that leaves, and the wait until the box has it. */
export function leaving(): { done: Done; left: Promise<void> } {
  let done!: Done;
  const left = new Promise<void>((resolve, reject) => {
    done = (error) => (error === undefined ? resolve() : reject(error as Error));
  });
  // Where the batch it leaves with fails nobody waits for it.
  left.catch(() => undefined);
  return { done, left };
}

function octetsOf({ envelopes }: Dispatch): number {
  return envelopes.reduce((sum, one) => sum + one.length, 0);
}

/** Whether the same may go well at another time. */
function passes(error: unknown): boolean {
  return isOffline(error) || (error instanceof Refusal && LATER.has(error.code));
}

/** What a person wants to know of a dispatch with several legs: how far the best of them came. */
export function summary(state: DispatchState | undefined): {
  state: "waiting" | "relay" | "box" | "failed";
  until: number | null;
  relays: number;
  reason: string | null;
} {
  const legs = state?.legs ?? [];
  if (legs.some((leg) => leg.state === "box")) return { state: "box", until: null, relays: 0, reason: null };
  const held = legs.filter((leg) => leg.state === "relay");
  if (held.length > 0) {
    const until = Math.max(...held.map((leg) => leg.until ?? 0));
    return {
      state: "relay",
      until: until || null,
      relays: Math.max(...held.map((leg) => leg.relays)),
      reason: null,
    };
  }
  const waiting = legs.length === 0 || legs.some((leg) => leg.state !== "given_up");
  const reason = legs.find((leg) => leg.reason)?.reason ?? null;
  return { state: waiting ? "waiting" : "failed", until: null, relays: 0, reason };
}
