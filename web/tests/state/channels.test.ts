/** Channels without a box: what a log adds up to, in whatever order it is read; the roster in its places; marks. */
import { describe, expect, test } from "vitest";
import { toHex } from "../../src/protocol/bytes.ts";
import type { ChannelContent } from "../../src/protocol/channelContent.ts";
import { hash, signingPublic } from "../../src/protocol/keys.ts";
import type { LogEntry } from "../../src/protocol/log.ts";
import { replay, type State } from "../../src/protocol/membership.ts";
import { read, sign, type Change, type Link } from "../../src/protocol/roster.ts";
import * as marks from "../../src/state/channels/marks.ts";
import { Places, type Place } from "../../src/state/channels/places.ts";
import {
  Timeline,
  rowAhead,
  rowOf,
  rowOfChange,
  sentOf,
  type Row,
} from "../../src/state/channels/timeline.ts";
import { messageOf, newsOf } from "../../src/state/channels/view.ts";
import { NOBODY, withIgnored } from "../../src/state/messenger/ignored.ts";

const HOUR = 490_000;
const bytes = (octet: number, count: number): Uint8Array => new Uint8Array(count).fill(octet);
const CHANNEL = bytes(7, 16);
const SEEDS = { ada: bytes(1, 32), ben: bytes(2, 32), carl: bytes(3, 32) };
type Name = keyof typeof SEEDS;
const identityOf = (name: Name): Uint8Array => signingPublic(SEEDS[name]);
const hexOf = (name: Name): string => toHex(identityOf(name));
const onion = bytes(9, 32);

/** A roster that its owner ada signs. */
function rosterOf(changes: readonly Change[]): Link[] {
  let previous: Uint8Array = bytes(0, 32);
  return changes.map((change, at) => {
    const entry = {
      version: 1,
      channel: CHANNEL,
      number: at + 1,
      previous,
      hour: HOUR,
      actor: identityOf("ada"),
    };
    const signed = sign(SEEDS.ada, { ...entry, change });
    previous = hash(signed);
    return read(signed);
  });
}

const CREATE: Change = { kind: "create", public: true, name: "ada", onion, info: { title: "Garden", topic: "" }, timer: 0, slow: 0 }; // prettier-ignore
const add = (name: Name, role: "member" | "moderator"): Change => ({ kind: "add", name, onion, identity: identityOf(name), role }); // prettier-ignore
const STATE: State = replay(rosterOf([CREATE, add("ben", "moderator"), add("carl", "member")]));

const entryOf = (number: number, more: Partial<LogEntry> = {}): LogEntry => ({
  number,
  id: bytes(number, 16),
  kind: 1,
  hour: HOUR,
  body: bytes(0, 8),
  removed: null,
  until: null,
  ...more,
});

function said(number: number, by: Name, content: Record<string, unknown>, state = STATE, more = {}): Row {
  const whole = { v: 1, id: bytes(100 + number, 16), sent: HOUR * 3600, ...content } as ChannelContent;
  const sender = { identity: identityOf(by), device: bytes(1, 16) };
  const heard = { number, sender, payload: bytes(0, 1) };
  return rowOf(entryOf(number, more), state, identityOf("ada"), heard, whole);
}

/** What a page would see, by the ids of messages. */
function seen(timeline: Timeline): string[] {
  return timeline.rows().flatMap((row) => {
    const entry = timeline.entry(row);
    if (!entry) return [];
    const message = messageOf(entry, STATE, hexOf("ada"), null);
    const reactions = message.reactions.map(
      (one) => `${one.emoji}${one.names.join("+")}${one.mine ? "!" : ""}`,
    );
    const marks = [message.edited && "edited", message.deleted, message.pinned && "pinned"].filter(Boolean);
    return [[`${message.name}: ${message.text}`, ...reactions, ...marks].join(" ")];
  });
}

const first = bytes(101, 16);
const second = bytes(102, 16);
const LOG: Row[] = [
  said(1, "ada", { kind: "text", text: "one" }),
  said(2, "ben", { kind: "text", text: "two @ada", reply: first }),
  said(3, "ben", { kind: "edit", target: second, text: "two, @carl" }),
  said(4, "carl", { kind: "edit", target: first, text: "not mine" }),
  said(5, "carl", { kind: "reaction", target: first, emoji: "a" }),
  said(6, "ada", { kind: "reaction", target: first, emoji: "a" }),
  said(7, "carl", { kind: "reaction", target: first, emoji: "b" }),
  said(8, "carl", { kind: "pin", target: first, on: true }),
  said(9, "ben", { kind: "pin", target: first, on: true }),
  said(10, "carl", { kind: "text", text: "copied", id: first }),
  said(11, "ada", { kind: "text", text: "posted twice", id: first }),
  said(12, "carl", { kind: "delete", target: first }),
  said(13, "carl", { kind: "text", text: "three" }),
  said(14, "carl", { kind: "delete", target: bytes(113, 16) }),
];
const SHOWN = ["ada: one aada! bcarl pinned", "ben: two, @carl edited", "carl: copied", "carl:  author"];

describe("a timeline", () => {
  test("adds up to the same in whatever order its rows come, and however often", () => {
    for (let turn = 0; turn < 60; turn++) {
      const rows = [...LOG].map((row) => ({ row, place: Math.sin(turn * 31 + row.number) }));
      const mixed = rows.sort((a, b) => a.place - b.place).map(({ row }) => row);
      const timeline = new Timeline();
      for (let at = 0; at < mixed.length; at += 3) {
        timeline.put(mixed.slice(at, at + 3));
        seen(timeline);
      }
      timeline.put(mixed.slice(turn % LOG.length));
      expect(seen(timeline)).toEqual(SHOWN);
    }
  });

  test("without some rows it is what the others add up to", () => {
    const without = (...gone: number[]): string[] => {
      const timeline = new Timeline();
      timeline.put(LOG.filter(({ number }) => !gone.includes(number)));
      return seen(timeline);
    };
    expect(without(3)[1]).toBe("ben: two @ada");
    expect(without(1)[1]).toBe("carl:  author");
    expect(without(9)[0]).toBe("ada: one aada! bcarl");
    expect(without(7)[0]).toBe("ada: one acarl+ada! pinned");
  });

  test("mentions are those of the words that hold", () => {
    const timeline = new Timeline();
    timeline.put(LOG.slice(0, 2));
    const message = () => messageOf(timeline.find(toHex(second))!, STATE, hexOf("ada"), null);
    expect([message().mentions, message().mentionsMe]).toEqual([["ada"], true]);
    timeline.put(LOG.slice(2, 3));
    expect([message().mentions, message().mentionsMe, message().reply]).toEqual([
      ["carl"],
      false,
      toHex(first),
    ]);
  });

  test("what is on its way stands at the end until it arrives, and is there once", () => {
    const timeline = new Timeline();
    const content: ChannelContent = {
      v: 1,
      id: bytes(113, 16),
      kind: "text",
      sent: HOUR * 3600,
      text: "three",
    };
    timeline.put([rowAhead(timeline.ahead(), content, STATE, identityOf("carl"), HOUR)]);
    timeline.put(LOG.slice(0, 2));
    expect(seen(timeline)).toEqual(["ada: one", "ben: two @ada", "carl: three"]);
    expect(messageOf(timeline.find(toHex(content.id))!, STATE, "", null)).toMatchObject({ number: 0, entry: "", state: "sealed" }); // prettier-ignore
    timeline.put([LOG[12]!]);
    expect(seen(timeline)).toEqual(["ada: one", "ben: two @ada", "carl: three"]);
    expect(timeline.find(toHex(content.id))!.row.number).toBe(13);
  });

  test("what stands in the log of a message is itself and its author's edits", () => {
    const timeline = new Timeline();
    timeline.put(LOG);
    expect(timeline.standing(timeline.find(toHex(second))!).map(({ number }) => number)).toEqual([2, 3]);
    expect(timeline.standing(timeline.find(toHex(first))!).map(({ number }) => number)).toEqual([1, 11]);
  });

  test("only the newest rows are kept where nobody looks", () => {
    const timeline = new Timeline();
    timeline.put(LOG);
    timeline.trim(2);
    expect(timeline.rows().map(({ number }) => number)).toEqual([13, 14]);
    expect(seen(timeline)).toEqual(["carl:  author"]);
  });

  test("reasons why something cannot be read", () => {
    const me = identityOf("ada");
    const none = { ...STATE, members: new Map() };
    const why = (heard: object, state: State = STATE) => rowOf(entryOf(1), state, me, { number: 1, ...heard } as never).unreadable; // prettier-ignore
    expect(why({ wanted: bytes(1, 16) })).toBe("waits");
    expect(why({ wanted: bytes(1, 16) }, none)).toBe("before");
    expect(why({ refused: "out_of_step" })).toBe("before");
    expect(why({ refused: "unknown_version" })).toBe("newer");
    for (const code of ["repeated", "bad_message", "not_member", "old_roster"]) expect(why({ refused: code })).toBe("forged"); // prettier-ignore
    expect(rowOf(entryOf(1, { body: null, removed: "moderator" }), STATE, me).removed).toBe("moderator");
  });

  test("a timer runs from when it was said, within the hour it was taken in, and ends with the entry", () => {
    const timed = { ...STATE, timer: 600 };
    const at = HOUR * 3600;
    const text = { kind: "text", text: "soon gone" };
    expect(said(1, "ben", { ...text, sent: at + 60 }, timed).expires).toBe(at + 660);
    expect(said(1, "ben", { ...text, sent: at - 9_999 }, timed).expires).toBe(at + 600);
    expect(said(1, "ben", { ...text, sent: at + 9_999 }, timed).expires).toBe(at + 3599 + 600);
    expect(said(1, "ben", text, { ...STATE, timer: 7200 }, { until: HOUR + 1 }).expires).toBe(at + 3600);
    expect(said(1, "ben", text).expires).toBeNull();
    expect(sentOf(at + 5, HOUR)).toBe(at + 5);
  });

  test("only what others said, and can be read, is unread", () => {
    const timeline = new Timeline();
    timeline.put(LOG);
    const all = timeline.rows().flatMap((row) => timeline.entry(row) ?? []);
    const messages = all.map((entry) => messageOf(entry, STATE, hexOf("ada"), null));
    expect(newsOf(messages, 0, NOBODY)).toEqual({ unread: 2, mentioned: false });
    expect(newsOf(messages, 2, NOBODY)).toEqual({ unread: 1, mentioned: false });
    expect(newsOf(messages, 10, NOBODY)).toEqual({ unread: 0, mentioned: false });
    const writers = new Set(
      messages.filter((one) => !one.mine && one.kind === "text").map((one) => one.name),
    );
    expect(newsOf(messages, 0, writers)).toEqual({ unread: 0, mentioned: false });
  });

  test("who is ignored stands there once, until no more; so many at most", () => {
    let record = withIgnored(undefined, "ben", true);
    for (const name of ["cleo", "ben"]) record = withIgnored(record, name, true);
    expect(record).toEqual({ v: 1, names: ["cleo", "ben"] });
    expect(withIgnored(record, "cleo", false).names).toEqual(["ben"]);
    for (let at = 0; at < 1005; at++) record = withIgnored(record, `n${at}`, true);
    expect([record.names.length, record.names[0], record.names.at(-1)]).toEqual([1000, "n5", "n1004"]);
  });
});

describe("a roster in its places", () => {
  const changes: Change[] = [CREATE, add("ben", "member")];
  for (let at = 0; at < 150; at++) changes.push({ kind: "timer", seconds: at + 1 });
  const links = rosterOf(changes);
  const placed = links.map((link, at): Place => ({ number: at * 3 + 1, link }));

  test("has the state at every number of the log", () => {
    const places = new Places();
    places.add(placed.slice(0, 10));
    places.add(placed.slice(10, 11));
    places.add(placed.slice(11));
    expect(places.at(0)).toBeUndefined();
    for (const at of [151, 0, 64, 63, 65, 128, 3, 150, 127])
      for (const number of [at * 3 + 1, at * 3 + 2])
        expect(places.at(number)!.hash).toEqual(replay(links.slice(0, at + 1)).hash);
    expect([places.has(4), places.has(5), places.count]).toEqual([true, false, 152]);
    expect(places.turn(7)!.before!.number).toBe(2);
    expect(places.turn(8)).toBeUndefined();
    expect([places.entrance(identityOf("ben")), places.entrance(identityOf("carl"))]).toEqual([4, undefined]);
    const row = rowOfChange(entryOf(4, { kind: 0 }), places.turn(4)!);
    expect(row).toMatchObject({ name: "ada", change: { what: "add", whom: "ben", role: "member" } });
  });

  test("refuses what is shorter, another one, or out of place, and stays as it was", () => {
    const places = new Places();
    places.add(placed.slice(0, 100));
    const known = (count: number) => ({ number: count, hash: replay(links.slice(0, count)).hash });
    const refused = (some: Place[], mark?: { number: number; hash: Uint8Array }) =>
      expect(() => places.add(some, mark)).toThrow("bad_roster");
    refused([], known(101));
    refused(placed.slice(100, 110), known(120));
    refused(placed.slice(100, 130), { number: 115, hash: bytes(0, 32) });
    refused(placed.slice(101));
    refused([{ ...placed[100]!, number: 5 }]);
    expect([places.count, places.state!.number]).toEqual([100, 100]);
    places.add(placed.slice(100), known(115));
    expect(places.state!.number).toBe(152);
  });
});

test("marks only grow, drafts and what is muted are the last word, and what is gone is forgotten", () => {
  let record = marks.withMark(marks.NONE, "a", 5);
  expect(marks.withMark(record, "a", 4)).toBe(record);
  record = marks.withMuted(marks.withDraft(marks.withMark(record, "b", 2), "b", "well"), "a", true);
  expect(record).toEqual({ v: 1, marks: { a: 5, b: 2 }, muted: ["a"], drafts: { b: "well" } });
  expect(marks.withDraft(record, "b", "").drafts).toEqual({});
  expect(marks.withDraft(record, "b", "well")).toBe(record);
  expect(marks.withMuted(record, "a", true)).toBe(record);
  expect(marks.withMuted(record, "a", false).muted).toEqual([]);
  expect(marks.withoutOthers(record, new Set(["a", "b"]))).toBe(record);
  expect(marks.withoutOthers(record, new Set(["b"]))).toEqual({ v: 1, marks: { b: 2 }, muted: [], drafts: { b: "well" } }); // prettier-ignore
  for (let at = 0; at < 60; at++) record = marks.withDraft(record, `c${at}`, "x");
  expect(Object.keys(record.drafts)).toHaveLength(50);
});
