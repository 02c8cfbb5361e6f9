/** Channels whatever happens, in any order: the rules of the roster hold, and who is in reads all, once, and nobody else. */
import { expect, test } from "vitest";
import { equal, toHex } from "../../src/protocol/bytes.ts";
import { decode, encode, type Value } from "../../src/protocol/cbor.ts";
import { SenderKeys, type Recipient } from "../../src/protocol/groupCipher.ts";
import type { SenderKey } from "../../src/protocol/content.ts";
import { signingPublic } from "../../src/protocol/keys.ts";
import * as membership from "../../src/protocol/membership.ts";
import type { State } from "../../src/protocol/membership.ts";
import * as roster from "../../src/protocol/roster.ts";
import type { Change, Role } from "../../src/protocol/roster.ts";
import { refusalOf, seed, seeded } from "../vectors.ts";

const NAMES = ["ada", "bob", "cleo", "dan"];
const SEEDS = NAMES.map((name) => seed(name));
const IDENTITIES = SEEDS.map(signingPublic);
const CHANNEL = seed("channel", 16);
const ONION = seed("onion");
const INFO = { title: "t", topic: "" };
const HOUR = 1000;

/** What signatures are is tried elsewhere: an entry as it is once it was verified. */
function next(state: State | null, actor: number, change: Change): State {
  const previous = state?.hash ?? new Uint8Array(32);
  const number = (state?.number ?? 0) + 1;
  const entry = {
    version: 1,
    channel: CHANNEL,
    number,
    previous,
    hour: HOUR,
    actor: IDENTITIES[actor]!,
    change,
  };
  return membership.apply(state, { entry, hash: seed(`${number} ${toHex(previous)} ${actor}`) });
}

const created = () =>
  next(null, 0, { kind: "create", public: true, name: "ada", onion: ONION, info: INFO, timer: 0, slow: 0 });

function changeOf(kind: string, whom: number, role: Role): Change {
  const identity = IDENTITIES[whom]!;
  const person = { name: NAMES[whom]!, onion: ONION };
  switch (kind) {
    case "add":
      return { kind, ...person, identity, role };
    case "join":
      return { kind, ...person };
    case "remove":
      return { kind, identity };
    case "role":
      return { kind, identity, role };
    case "timer":
      return { kind, seconds: whom };
    default:
      return { kind: kind === "close" ? "close" : "leave" };
  }
}

test("the rules of the roster hold whatever is tried", { timeout: 60_000 }, () => {
  const random = seeded("roster model");
  const below = (most: number) => random(1)[0]! % most;
  const kinds = ["add", "join", "remove", "role", "leave", "timer", "add", "join", "role", "close"];
  let taken = 0;
  for (let run = 0; run < 60; run++) {
    let state = created();
    for (let step = 0; step < 30; step++) {
      // Closing ends the story: not as often as the rest.
      const kind = kinds[below(step < 25 ? kinds.length - 1 : kinds.length)]!;
      const [actor, whom, role] = [below(4), below(4), roster.ROLES[below(3)]!];
      const before = state;
      const code = refusalOf(() => (state = next(before, actor, changeOf(kind, whom, role))));
      expect(["none", "bad_roster"]).toContain(code);
      if (code !== "none") continue;
      taken++;
      const me = before.members.get(toHex(IDENTITIES[actor]!));
      const names = new Set([...before.members.keys(), ...state.members.keys()]);
      const changed = [...names].filter((name) => before.members.get(name) !== state.members.get(name));
      const gone = changed.filter((name) => !state.members.has(name));
      expect(changed.length).toBeLessThanOrEqual(1);
      if (!me) expect([kind, changed]).toEqual(["join", [toHex(IDENTITIES[actor]!)]]);
      if (me?.role === "member") expect([kind, changed]).toEqual(["leave", [toHex(me.identity)]]);
      if (me?.role === "moderator") {
        expect(["add", "remove", "leave", "timer"]).toContain(kind);
        for (const name of changed.filter((one) => one !== toHex(me.identity)))
          expect((before.members.get(name) ?? state.members.get(name))!.role).toBe("member");
      }
      expect(state.cut).toBe(gone.length > 0 ? state.number : before.cut);
      const owners = [...state.members.values()].filter((member) => member.role === "owner");
      if (!state.closed) expect(owners.length).toBeGreaterThan(0);
      for (const identity of IDENTITIES)
        expect(membership.may(state, identity, "post")).toBe(
          !state.closed && state.members.has(toHex(identity)),
        );
      expect(membership.load(decode(encode(membership.store(state))))).toEqual(state);
    }
  }
  expect(taken).toBeGreaterThan(200);
});

/** Somebody's device, the records of its keys, and what it read, by number. */
class Somebody {
  readonly own: Recipient;
  readonly records = new Map<string, unknown>();
  readonly read = new Map<number, string>();
  waiting: number[] = [];
  mark = 0;

  constructor(readonly at: number) {
    this.own = { identity: IDENTITIES[at]!, device: seed(`device ${at}`, 16) };
  }

  /** The cipher as it is stored, used, and stored again. */
  async use<T>(act: (keys: SenderKeys) => T | Promise<T>): Promise<T> {
    const keys = new SenderKeys(this.own);
    keys.load(
      new Map([...this.records].map(([name, value]): [string, Value] => [name, decode(encode(value))])),
    );
    const made = await act(keys);
    for (const [name, value] of keys.changes())
      if (value === undefined) this.records.delete(name);
      else this.records.set(name, value);
    return made;
  }
}

test("who is in reads everything once, and nobody else anything", { timeout: 120_000 }, async () => {
  const random = seeded("channel model");
  const below = (most: number) => random(1)[0]! % most;
  let readings = 0;
  for (let run = 0; run < 8; run++) {
    const people = NAMES.map((_, at) => new Somebody(at));
    const states = [next(created(), 1, changeOf("join", 1, "member"))];
    const state = () => states.at(-1)!;
    const log: { message: Uint8Array; state: State; said?: string; by: number }[] = [];
    const letters: { to: number; from: number; told: SenderKey }[] = [];
    const handed: typeof letters = [];
    let hour = HOUR;
    const here = () =>
      people
        .filter(({ own }) => membership.memberOf(state(), own.identity))
        .map(({ own }) => ({ identity: own.identity, devices: [own.device] }));
    const common = () => ({ id: random(16), sent: 1 });
    const post = (letter: (typeof letters)[number]) => void (letters.push(letter), handed.push(letter));

    const say = async (at: number, lost: boolean) => {
      if (!membership.may(state(), IDENTITIES[at]!, "post")) return;
      const said = `${at} says ${random(8)}`;
      const message = await people[at]!.use((keys) => {
        if (keys.whyRenew(state(), here(), hour)) keys.renew(state(), here(), hour, random);
        for (const to of keys.missing(state(), here())) {
          const whom = IDENTITIES.findIndex((one) => equal(one, to.identity));
          post({ to: whom, from: at, told: keys.give(state(), to, common()) });
        }
        return keys.seal(state(), new TextEncoder().encode(said), random);
      });
      if (!lost) log.push({ message, state: state(), said, by: at });
    };
    const deliver = async (which: number, lose: boolean) => {
      const [letter] = letters.splice(which % Math.max(1, letters.length), 1);
      if (letter && !lose)
        await people[letter.to]!.use((keys) => keys.take(letter.told, people[letter.from]!.own));
    };
    const catchUp = async (at: number) => {
      const me = people[at]!;
      const member = membership.memberOf(state(), me.own.identity);
      if (!member) return;
      const numbers = [...me.waiting, ...log.keys()].filter(
        (one) => me.waiting.includes(one) || one >= me.mark,
      );
      const posted = [...new Set(numbers)].map((number) => ({ number: number + 1, ...log[number]! }));
      me.mark = log.length;
      me.waiting = [];
      const wanted = new Map<string, Uint8Array>();
      const heard = await me.use((keys) => keys.openAll(posted));
      for (const one of heard) {
        const { said, state: then } = log[one.number - 1]!;
        if ("wanted" in one) {
          me.waiting.push(one.number - 1);
          wanted.set(toHex(one.wanted), one.wanted);
        } else if ("refused" in one)
          expect(said === undefined || (one.refused === "out_of_step" && then.number < member.since)).toBe(
            true,
          );
        else {
          readings++;
          expect(new TextDecoder().decode(one.payload)).toBe(said);
          expect(me.read.has(one.number)).toBe(false);
          me.read.set(one.number, said!);
        }
      }
      for (const maker of people)
        for (const chain of wanted.values()) {
          const told = await maker.use((keys) => keys.answer(state(), me.own, chain, common()));
          if (told) post({ to: at, from: maker.at, told });
        }
    };

    for (let step = 0; step < 45; step++) {
      const [at, what] = [below(4), below(12)];
      if (what < 4) await say(at, what === 3);
      else if (what < 6) await deliver(below(9), what === 5);
      else if (what === 6) await catchUp(at);
      else if (what === 7 && log.length > 0)
        log.push({ ...log[below(log.length)]!, state: state(), said: undefined! });
      else if (what === 8) hour += 168;
      else {
        const kind = ["join", "leave", "remove", "add"][below(4)]!;
        const actor = kind === "join" || kind === "leave" ? at : 0;
        refusalOf(() => states.push(next(state(), actor, changeOf(kind, at, "member"))));
      }
    }
    for (let round = 0; round < 3; round++) {
      while (letters.length > 0) await deliver(0, false);
      for (const one of people) await catchUp(one.at);
    }

    for (const one of people) {
      const member = membership.memberOf(state(), one.own.identity);
      // All that was ever handed to somebody, tried on everything.
      const all = new SenderKeys(one.own);
      for (const { to, from, told } of handed) if (to === one.at) all.take(told, people[from]!.own);
      for (const [at, entry] of log.entries()) {
        if (entry.said === undefined || entry.by === one.at) continue;
        if (member && entry.state.number >= member.since) expect(one.read.get(at + 1)).toBe(entry.said);
        if (entry.state.members.has(toHex(one.own.identity))) continue;
        const [heard] = await all.openAll([{ number: at + 1, ...entry }]);
        expect("payload" in heard!).toBe(false);
      }
    }
  }
  expect(readings).toBeGreaterThan(50);
});
