/** Channels: rosters, sealed titles, sender keys, contents. */
import { describe, expect, test } from "vitest";
import { toHex } from "../../src/protocol/bytes.ts";
import { decode, encode } from "../../src/protocol/cbor.ts";
import { mentions, readChannelContent, writeChannelContent } from "../../src/protocol/channelContent.ts";
import { openInfo, sealInfo } from "../../src/protocol/channelInfo.ts";
import { MAX_MESSAGE, MAX_PAYLOAD, check, messageSize, room } from "../../src/protocol/channelMessage.ts";
import type { Entry as DirectoryEntry } from "../../src/protocol/directory.ts";
import { SenderKeys } from "../../src/protocol/groupCipher.ts";
import { signingPublic } from "../../src/protocol/keys.ts";
import * as membership from "../../src/protocol/membership.ts";
import type { State } from "../../src/protocol/membership.ts";
import * as roster from "../../src/protocol/roster.ts";
import type { Info } from "../../src/protocol/roster.ts";
import { drawn, hex, refusalOf, refusalOfPromise, seed, vectors } from "../vectors.ts";
import { perform, restored, type Step } from "./channelSteps.ts";

interface Rosters {
  people: Record<string, string>;
  rosters: { entries: string[]; values: string[]; states: string[] }[];
  refused: { why: string; code: string; entries: string[]; signed: string }[];
  info: Record<"key" | "channel" | "nonce" | "info" | "sealed", string> & { not_opened: string[] };
}
interface Story {
  roster: string[];
  info_key: Record<string, string>;
  devices: Record<string, [string, string]>;
  steps: Step[];
  sizes: [number, number][];
}
interface Contents {
  contents: { kind: string; payload: string }[];
  refused: { why: string; code: string; payload: string }[];
  roster: string[];
  mentions: { words: string; names: string[] }[];
}

const file = vectors<Rosters>("roster");
const seeds = new Map(Object.values(file.people).map((one) => [toHex(signingPublic(hex(one))), hex(one)]));
const statesOf = (entries: readonly string[]) =>
  entries.reduce<State[]>((states, signed) => {
    return [...states, membership.apply(states.at(-1) ?? null, roster.read(hex(signed)))];
  }, []);

describe("roster", () => {
  test.each(file.rosters)("states after each entry, %#", ({ entries, values, states }) => {
    for (const [at, state] of statesOf(entries).entries()) {
      const { entry } = roster.read(hex(entries[at]!));
      expect(toHex(encode(entry))).toBe(values[at]);
      expect(toHex(roster.sign(seeds.get(toHex(entry.actor))!, entry))).toBe(entries[at]);
      expect(toHex(encode(membership.store(state)))).toBe(states[at]);
      expect(membership.load(decode(hex(states[at]!)))).toEqual(state);
    }
  });

  test.each(file.refused)("$code: $why", ({ code, entries, signed }) => {
    const before = statesOf(entries).at(-1) ?? null;
    expect(refusalOf(() => membership.apply(before, roster.read(hex(signed))))).toBe(code);
  });

  test("many at once are read as one by one", async () => {
    const entries = file.rosters.flatMap((one) => one.entries).map(hex);
    expect(await roster.readAll(entries)).toEqual(entries.map(roster.read));
    for (const { code, entries: before, signed } of file.refused) {
      const state = statesOf(before).at(-1) ?? null;
      const act = async () => membership.replay(await roster.readAll([hex(signed)]), state);
      expect(await refusalOfPromise(act())).toBe(code);
    }
  });

  test("a shorter roster, or another one, is told from the one that was seen", () => {
    const links = file.rosters[0]!.entries.map((one) => roster.read(hex(one)));
    const states = statesOf(file.rosters[0]!.entries);
    const { number, hash } = states[6]!;
    const other = { number, hash: seed("other") };
    expect(membership.replay(links, null, { number, hash }).number).toBe(links.length);
    expect(refusalOf(() => membership.replay(links.slice(0, 6), null, { number, hash }))).toBe("bad_roster");
    expect(refusalOf(() => membership.replay(links, null, other))).toBe("bad_roster");
    expect(refusalOf(() => membership.replay([], states[8]!, other))).toBe("bad_roster");
    expect(refusalOf(() => membership.replay([], null))).toBe("bad_roster");
    expect(membership.agrees(states[8]!, { number, hash })).toBe(true);
    expect(membership.agrees(states[8]!, other)).toBe(false);
    expect(membership.agrees(states[5]!, { number, hash })).toBeUndefined();
  });

  test("whom the directory shows under another identity is refused", () => {
    const states = statesOf(file.rosters[0]!.entries);
    const bob = [...states[1]!.members.values()][1]!;
    const entry = { name: bob.name, onion: bob.onion, identity: bob.identity } as DirectoryEntry;
    membership.checkMember(bob, entry);
    const swapped = { ...entry, identity: seed("other") };
    expect(refusalOf(() => membership.checkMember(bob, swapped))).toBe("bad_roster");
    const link = roster.read(hex(file.rosters[0]!.entries[1]!));
    expect(membership.apply(states[0]!, link, bob.identity)).toEqual(states[1]);
    expect(refusalOf(() => membership.apply(states[0]!, link, seed("other")))).toBe("bad_roster");
  });

  test("a damaged state is refused, a newer one told", () => {
    const stored = decode(hex(file.rosters[0]!.states[3]!)) as Record<string, never>;
    expect(refusalOf(() => membership.load({ ...stored, version: 2 } as never))).toBe("unknown_version");
    expect(refusalOf(() => membership.load({ ...stored, hash: seed("x") } as never))).toBe("bad_roster");
    expect(refusalOf(() => membership.load([]))).toBe("bad_roster");
  });

  test("sealed titles", () => {
    const { key, channel, nonce, info, sealed, not_opened: not } = file.info;
    const value = decode(hex(info)) as Info;
    expect(toHex(sealInfo(hex(key), hex(channel), value, drawn(hex(nonce))))).toBe(sealed);
    expect(openInfo(hex(key), hex(channel), hex(sealed))).toEqual(value);
    for (const one of not)
      expect(refusalOf(() => openInfo(hex(key), hex(channel), hex(one)))).toBe("not_opened");
    expect(refusalOf(() => openInfo(hex(key), seed("x", 16), hex(sealed)))).toBe("not_opened");
    const broken = { title: "a\nb", topic: "" };
    expect(refusalOf(() => sealInfo(hex(key), hex(channel), broken, seed.bind(null, "n")))).toBe(
      "bad_roster",
    );
  });
});

describe("sender keys", () => {
  const story = vectors<Story>("sender_keys");

  test("the story, step by step, with everybody's records after each", async () => {
    const states = statesOf(story.roster);
    const ciphers = new Map<string, SenderKeys>();
    for (const [who, [identity, device]] of Object.entries(story.devices)) {
      const info = story.info_key[who];
      const own = { identity: hex(identity), device: hex(device) };
      ciphers.set(who, new SenderKeys(own, info === undefined ? undefined : hex(info)));
    }
    for (const [at, step] of story.steps.entries())
      expect({ at, ...step, ...(await perform(ciphers.get(step.who)!, states, step)) }).toEqual({
        at,
        ...step,
      });
  });

  test("what was stored is what was there", async () => {
    const states = statesOf(story.roster);
    const [identity, device] = story.devices["ada"]!;
    let ada = new SenderKeys({ identity: hex(identity), device: hex(device) }, hex(story.info_key["ada"]!));
    const records = new Map<string, string>();
    for (const step of story.steps.filter(({ who }) => who === "ada")) {
      expect({ ...step, ...(await perform(ada, states, step)) }).toEqual(step);
      for (const [name, value] of Object.entries(step.changes!))
        if (value === null) records.delete(name);
        else records.set(name, value);
      ada = restored(ada, records);
    }
    expect(refusalOf(() => ada.load(new Map([["sending/x", { version: 2 }]])))).toBe("unknown_version");
    expect(refusalOf(() => ada.load(new Map([["sending/x", { version: 1 }]])))).toBe("wrong_state");
    expect(refusalOf(() => ada.load(new Map([["other/x", { version: 1 }]])))).toBe("wrong_state");
  });

  test.each(story.sizes)("%i octets travel in %i", (octets, size) => {
    expect(messageSize(octets)).toBe(size);
    const message = new Uint8Array(size);
    expect(refusalOf(() => check(message))).toBe("unknown_version");
    message[0] = 1;
    check(message);
    expect(refusalOf(() => check(message.subarray(1)))).toBe("wrong_size");
  });

  test("and no more than that", () => {
    expect(refusalOf(() => messageSize(MAX_PAYLOAD + 1))).toBe("too_large");
    expect(messageSize(MAX_PAYLOAD)).toBe(MAX_MESSAGE);
    expect(messageSize(room(960))).toBe(960);
    expect(refusalOf(() => check(new Uint8Array(2 * MAX_MESSAGE)))).toBe("wrong_size");
    expect(refusalOf(() => check(new Uint8Array()))).toBe("wrong_size");
  });
});

describe("contents", () => {
  const contents = vectors<Contents>("channel_content");

  test.each(contents.contents)("$kind", ({ kind, payload }) => {
    const content = readChannelContent(hex(payload));
    expect(content.kind).toBe(kind);
    expect(toHex(writeChannelContent(content))).toBe(payload);
  });

  test.each(contents.refused)("$code: $why", ({ code, payload }) => {
    expect(refusalOf(() => readChannelContent(hex(payload)))).toBe(code);
  });

  test.each(contents.mentions)("$words mentions $names", ({ words, names }) => {
    const state = statesOf(contents.roster).at(-1)!;
    expect(mentions(words, state).map((member) => member.name)).toEqual(names);
  });

  test("what nobody could read is not written", () => {
    const text = { v: 1, id: seed("id", 16), kind: "text", sent: 1, text: "x" } as const;
    expect(refusalOf(() => writeChannelContent({ ...text, text: "x".repeat(16_001) }))).toBe("bad_message");
    expect(writeChannelContent({ ...text, text: "\u{1f41a}".repeat(16_000) }).length).toBeLessThan(
      MAX_PAYLOAD,
    );
  });
});
