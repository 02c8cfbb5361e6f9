/**
 * Membership: the state that a channel's roster results in, and the table of who may what in it.
 *
 * | change            | who                  | besides                                                |
 * |-------------------|----------------------|--------------------------------------------------------|
 * | create            | anybody              | the first entry, and only that                         |
 * | add               | owner, moderator     | to a role below one's own; by an owner, any            |
 * | join              | anybody not put out  | public channels                                        |
 * | remove            | owner, moderator     | roles below one's own; by an owner, any                |
 * | leave             | every member         | not the last owner, unless it is closed                |
 * | role              | owner                | not the last owner's                                   |
 * | info, timer, slow | owner, moderator     | info sealed if and only if it is private               |
 * | close             | owner                | after it, only `leave`                                 |
 *
 * A name at a box and an identity stand in the roster once. A state is never changed: `apply` gives the next one.
 */
import { equal, toHex } from "./bytes.ts";
import type { Value } from "./cbor.ts";
import type { Entry as DirectoryEntry } from "./directory.ts";
import { NAME } from "./names.ts";
import { Refusal, refusing } from "./refusal.ts";
import * as roster from "./roster.ts";
import type { Change, ChangeOf, Entry, Info, Link, Role } from "./roster.ts";
import { bytes, flag, integer, isInteger, isMap, list, map, type Read } from "./shape.ts";

export const VERSION = 1;
export const MAX_MEMBERS = 1000;
/** Identities that were put out and cannot join by themselves; the oldest are forgotten first. */
export const MAX_BARRED = 1000;
/** Hashes of entries a state remembers, to compare with what other members say they saw. */
export const TRAIL = 64;

const RANK: Record<Role, number> = { member: 1, moderator: 2, owner: 3 };
const LEADERS: readonly Role[] = ["owner", "moderator"];
const ALL: readonly Role[] = roster.ROLES;

/** Which roles may do what. */
export const RIGHTS = {
  add: LEADERS,
  remove: LEADERS,
  leave: ALL,
  role: ["owner"] as readonly Role[],
  info: LEADERS,
  timer: LEADERS,
  slow: LEADERS,
  close: ["owner"] as readonly Role[],
  // Not changes of the roster, but decided by it.
  post: ALL,
  "post at once": LEADERS,
  pin: LEADERS,
  "take down": LEADERS,
};
export type Right = "post" | "post at once" | "pin" | "take down";

const MARK = map({ number: roster.NUMBER, hash: bytes(32) });
/** Where a roster stood: number and hash of its last entry. */
export type Mark = Read<typeof MARK>;

const MEMBER = map({
  name: NAME,
  onion: bytes(32),
  identity: bytes(32),
  role: roster.ROLE,
  since: roster.NUMBER,
});
/** Somebody in a channel, since the entry with this number. */
export type Member = Read<typeof MEMBER>;

/** A channel after its entry `number`. `cut`: the last entry that put somebody out (0: none). */
export interface State {
  readonly channel: Uint8Array;
  readonly number: number;
  readonly hash: Uint8Array;
  readonly public: boolean;
  readonly info: Info | Uint8Array;
  readonly timer: number;
  readonly slow: number;
  readonly closed: boolean;
  readonly cut: number;
  readonly hour: number;
  /** By identity in hexadecimal. */
  readonly members: ReadonlyMap<string, Member>;
  readonly barred: readonly Uint8Array[];
  /** Hashes of the last entries, the newest last. */
  readonly trail: readonly Uint8Array[];
}

/** The member with this identity. */
export function memberOf(state: State, identity: Uint8Array): Member | undefined {
  return state.members.get(toHex(identity));
}

/** Whether whoever has this identity may do that now. */
export function may(state: State, identity: Uint8Array, right: Right): boolean {
  const member = memberOf(state, identity);
  return member !== undefined && !state.closed && RIGHTS[right].includes(member.role);
}

/**
 * The state after one more entry (null: before the first); Refusal bad_roster, channel_full.
 *
 * `shown` is the identity that the directory shows for the name this entry brings in. The box always asks; a client
 * does for those who are members still (`checkMember`): accounts of the past may be gone.
 */
export function apply(state: State | null, link: Link, shown?: Uint8Array): State {
  const { entry, hash } = link;
  const { change } = entry;
  const before = state ? state.hash : new Uint8Array(32);
  if (entry.number !== (state?.number ?? 0) + 1 || !equal(entry.previous, before)) refuse();
  if (change.kind === "create") {
    if (state !== null || change.info instanceof Uint8Array === change.public) refuse();
    return created(link, change, shown);
  }
  if (state === null || !equal(entry.channel, state.channel)) return refuse();
  if (state.closed && change.kind !== "leave") refuse();
  const actor = memberOf(state, entry.actor);
  if (change.kind !== "join" && (!actor || !RIGHTS[change.kind].includes(actor.role))) refuse();
  return {
    ...state,
    number: entry.number,
    hash,
    hour: entry.hour,
    trail: [...state.trail, hash].slice(-TRAIL),
    ...changed(state, entry, change, actor, shown),
  };
}

/**
 * The state after some entries more; Refusal bad_roster, channel_full.
 *
 * `known` is where the roster was seen to stand, by this device or another member's: a roster that is shorter, or
 * another one up to there, is refused as bad_roster.
 */
export function replay(links: readonly Link[], before: State | null = null, known?: Mark): State {
  let state = before;
  if (state && known && agrees(state, known) === false) refuse();
  for (const link of links) {
    state = apply(state, link);
    if (known?.number === state.number && !equal(known.hash, state.hash)) refuse();
  }
  if (state === null || (known && state.number < known.number)) return refuse();
  return state;
}

/** Whether this roster went through that mark; undefined when that is too long ago, or yet to come. */
export function agrees(state: State, mark: Mark): boolean | undefined {
  const back = state.number - mark.number;
  const hash = back >= 0 ? state.trail.at(-1 - back) : undefined;
  return hash && equal(hash, mark.hash);
}

/** Refusal bad_roster unless the directory shows a member under the identity that is in the roster. */
export function checkMember(member: Member, entry: DirectoryEntry): void {
  const same =
    entry.name === member.name && equal(entry.onion, member.onion) && equal(entry.identity, member.identity);
  if (!same) refuse();
}

function refuse(): never {
  throw new Refusal("bad_roster");
}

function created({ entry, hash }: Link, change: ChangeOf<"create">, shown?: Uint8Array): State {
  if (shown && !equal(shown, entry.actor)) refuse();
  const { actor: identity, channel, hour } = entry;
  const owner: Member = { name: change.name, onion: change.onion, identity, role: "owner", since: 1 };
  return {
    channel,
    number: 1,
    hash,
    public: change.public,
    info: change.info,
    timer: change.timer,
    slow: change.slow,
    closed: false,
    cut: 0,
    hour,
    members: new Map([[toHex(identity), owner]]),
    barred: [],
    trail: [hash],
  };
}

/** What a change makes different; `actor` is there, with the right to it, unless they join. */
function changed(
  state: State,
  entry: Entry,
  change: Exclude<Change, { kind: "create" }>,
  actor: Member | undefined,
  shown?: Uint8Array,
): Partial<State> {
  switch (change.kind) {
    case "add": {
      const { kind: _, ...person } = change;
      if (!outranks(actor!, change.role)) refuse();
      return withMember(state, { ...person, since: entry.number }, shown);
    }
    case "join": {
      const { name, onion } = change;
      if (!state.public || state.barred.some((each) => equal(each, entry.actor))) refuse();
      const member = { name, onion, identity: entry.actor, role: "member", since: entry.number } as const;
      return withMember(state, member, shown);
    }
    case "remove": {
      const member = memberOf(state, change.identity);
      // Oneself one takes out by leaving, so an owner stays whenever an owner removes.
      if (!member || member === actor || !outranks(actor!, member.role)) return refuse();
      const barred = [...state.barred, change.identity].slice(-MAX_BARRED);
      return { ...without(state, change.identity, entry.number), barred };
    }
    case "leave":
      if (isLastOwner(state, actor!) && !state.closed) refuse();
      return without(state, entry.actor, entry.number);
    case "role": {
      const member = memberOf(state, change.identity);
      if (!member || member.role === change.role || isLastOwner(state, member)) return refuse();
      const members = new Map(state.members);
      return { members: members.set(toHex(change.identity), { ...member, role: change.role }) };
    }
    case "info":
      if (change.info instanceof Uint8Array === state.public) refuse();
      return { info: change.info };
    case "timer":
      return { timer: change.seconds };
    case "slow":
      return { slow: change.seconds };
    case "close":
      return { closed: true };
  }
}

function outranks(actor: Member, role: Role): boolean {
  return actor.role === "owner" || RANK[role] < RANK[actor.role];
}

function isLastOwner(state: State, member: Member): boolean {
  return (
    member.role === "owner" &&
    [...state.members.values()].every((one) => one === member || one.role !== "owner")
  );
}

/** One member more. */
function withMember(state: State, member: Member, shown?: Uint8Array): Partial<State> {
  const { name, onion, identity } = member;
  if ((shown && !equal(shown, identity)) || memberOf(state, identity)) refuse();
  for (const one of state.members.values()) if (one.name === name && equal(one.onion, onion)) refuse();
  if (state.members.size >= MAX_MEMBERS) throw new Refusal("channel_full");
  const barred = state.barred.filter((each) => !equal(each, identity));
  return { members: new Map(state.members).set(toHex(identity), member), barred };
}

/** One member less: keys that were given out until now are to be replaced. */
function without(state: State, identity: Uint8Array, number: number): Partial<State> {
  const members = new Map(state.members);
  members.delete(toHex(identity));
  return { members, cut: number };
}

const STORED = map({
  version: integer(VERSION, VERSION),
  channel: bytes(16),
  number: roster.NUMBER,
  hash: bytes(32),
  public: flag,
  info: roster.INFO,
  timer: roster.TIMER,
  slow: roster.SLOW,
  closed: flag,
  cut: integer(0, 0xffff_ffff),
  hour: roster.HOUR,
  members: list(MEMBER, MAX_MEMBERS),
  barred: list(bytes(32), MAX_BARRED),
  trail: list(bytes(32), TRAIL, 1),
});

/** A state as it is kept in the vault: its members in the order in which they came. */
export function store(state: State): Read<typeof STORED> {
  const members = [...state.members.values()].sort((a, b) => a.since - b.since);
  return { version: VERSION, ...state, members, barred: [...state.barred], trail: [...state.trail] };
}

/** A state from decoded CBOR; Refusal unknown_version, or bad_roster when it is damaged. */
export function load(value: Value): State {
  return refusing("bad_roster", () => {
    if (isMap(value) && isInteger(value.version) && value.version > VERSION)
      throw new Refusal("unknown_version");
    const { version: _, members: all, ...rest } = STORED(value);
    const members = new Map(all.map((member) => [toHex(member.identity), member]));
    if (members.size !== all.length || !equal(rest.trail.at(-1)!, rest.hash)) refuse();
    return { ...rest, members };
  });
}
