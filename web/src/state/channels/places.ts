/** The roster in its places: verified entries with their numbers in the log, and the state at any of those. Pure. */
import { equal } from "../../protocol/bytes.ts";
import { agrees, apply, replay, type Mark, type State } from "../../protocol/membership.ts";
import { Refusal } from "../../protocol/refusal.ts";
import type { Link } from "../../protocol/roster.ts";

/** An entry of the roster and its number in the log. */
export interface Place {
  readonly number: number;
  readonly link: Link;
}

/** An entry with the states before (null: it is the first) and after it. */
export interface Turn extends Place {
  readonly before: State | null;
  readonly after: State;
}

/** So many entries apart a state is kept: each has all members, so not every one of them. */
const APART = 64;

export class Places {
  #all: Place[] = [];
  /** After each `APART` entries. */
  #kept: State[] = [];
  /** Where the last question was: the next one is mostly close by. */
  #near: { count: number; state: State | null } = { count: 0, state: null };
  /** As the roster stands. */
  state: State | undefined;

  get count(): number {
    return this.#all.length;
  }

  /**
   * Take in the entries that follow; Refusal bad_roster, and nothing is taken, where they do not, or where the roster
   * is another one than `known`.
   */
  add(places: readonly Place[], known?: Mark): void {
    const last = this.#all.at(-1)?.number ?? 0;
    if (places.some(({ number }, at) => number <= (at > 0 ? places[at - 1]!.number : last))) refuse();
    let state = this.state ?? null;
    const kept: State[] = [];
    for (let at = 0; at < places.length;) {
      // Never more at once than a state remembers hashes of.
      const until = at + APART - ((this.#all.length + at) % APART);
      const some = places.slice(at, until).map(({ link }) => link);
      state = replay(some, state);
      if (known && agrees(state, known) === false) refuse();
      if (at + some.length === until) kept.push(state);
      at = until;
    }
    if (known && (!state || state.number < known.number || agrees(state, known) === false)) refuse();
    this.#all.push(...places);
    this.#kept.push(...kept);
    this.state = state ?? undefined;
  }

  has(number: number): boolean {
    return this.#all[this.#index(number) - 1]?.number === number;
  }

  /** The state in which an entry of the log with this number was taken; undefined before the first. */
  at(number: number): State | undefined {
    const count = this.#index(number);
    return count === 0 ? undefined : this.#after(count);
  }

  /** The entry of the roster with this number in the log. */
  turn(number: number): Turn | undefined {
    const count = this.#index(number);
    const place = this.#all[count - 1];
    if (place?.number !== number) return undefined;
    const before = count > 1 ? this.#after(count - 1) : null;
    return { ...place, before, after: this.#after(count) };
  }

  /** The number in the log of the entry by which this identity came in first; undefined: it never was in. */
  entrance(identity: Uint8Array): number | undefined {
    const found = this.#all.find(({ link: { entry } }) => {
      const { change, actor } = entry;
      if (change.kind === "add") return equal(change.identity, identity);
      return (change.kind === "create" || change.kind === "join") && equal(actor, identity);
    });
    return found?.number;
  }

  /** The roster's own number of the entry that wrote title and topic last. */
  get titled(): number {
    const found = this.#all.findLast(({ link }) => ["create", "info"].includes(link.entry.change.kind));
    return found?.link.entry.number ?? 0;
  }

  /** How many entries stand up to this number of the log. */
  #index(number: number): number {
    let [low, high] = [0, this.#all.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#all[middle]!.number <= number) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #after(count: number): State {
    const kept = Math.min(Math.floor(count / APART), this.#kept.length);
    let from: { count: number; state: State | null } =
      kept > 0 ? { count: kept * APART, state: this.#kept[kept - 1]! } : { count: 0, state: null };
    if (this.#near.count <= count && this.#near.count > from.count) from = this.#near;
    let { state } = from;
    for (let at = from.count; at < count; at++) state = apply(state, this.#all[at]!.link);
    this.#near = { count, state };
    return state!;
  }
}

function refuse(): never {
  throw new Refusal("bad_roster");
}
