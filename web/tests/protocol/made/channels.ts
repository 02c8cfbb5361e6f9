/** Made for Python: a roster, a channel's story by sender keys, and contents. */
import { toHex } from "../../../src/protocol/bytes.ts";
import { mentions, writeChannelContent, type ChannelContent } from "../../../src/protocol/channelContent.ts";
import { sealInfo } from "../../../src/protocol/channelInfo.ts";
import { SenderKeys } from "../../../src/protocol/groupCipher.ts";
import { signingPublic } from "../../../src/protocol/keys.ts";
import * as membership from "../../../src/protocol/membership.ts";
import type { State } from "../../../src/protocol/membership.ts";
import * as roster from "../../../src/protocol/roster.ts";
import type { Change } from "../../../src/protocol/roster.ts";
import { drawn } from "../../vectors.ts";
import { perform, type Step } from "../channelSteps.ts";
import { HOUR, ONION, cbor, own } from "./cast.ts";

const CHANNEL = own("channel", 16);
const INFO_KEY = own("info key");
const INFO = { title: "\u{1f30a} harbour", topic: "who is in, who is out" };
const NAMES = ["ann", "ben", "cay", "dov"];
const seedOf = (name: string) => own(`channel ${name}`);
const identityOf = (name: string) => signingPublic(seedOf(name));
const deviceOf = (name: string, at = 0) => own(`channel ${name} device ${at}`, 16);
const sealed = sealInfo(INFO_KEY, CHANNEL, INFO, drawn(own("info nonce", 24)));

/** A roster and the states of it. */
class Book {
  readonly entries: Uint8Array[] = [];
  readonly states: State[] = [];

  write(actor: string, change: Change): void {
    const before = this.states.at(-1) ?? null;
    const entry: roster.Entry = {
      version: 1,
      channel: CHANNEL,
      number: (before?.number ?? 0) + 1,
      previous: before?.hash ?? new Uint8Array(32),
      hour: HOUR,
      actor: identityOf(actor),
      change,
    };
    const signed = roster.sign(seedOf(actor), entry);
    this.entries.push(signed);
    this.states.push(membership.apply(before, roster.read(signed)));
  }

  add(actor: string, name: string, role: roster.Role = "member"): void {
    this.write(actor, { kind: "add", name, onion: ONION, identity: identityOf(name), role });
  }
}

function begun(): Book {
  const book = new Book();
  const more = { info: sealed, timer: 86_400, slow: 0 };
  book.write("ann", { kind: "create", public: false, name: "ann", onion: ONION, ...more });
  book.add("ann", "ben", "moderator");
  book.add("ben", "cay");
  return book;
}

export function rosters() {
  const book = begun();
  book.write("ben", { kind: "remove", identity: identityOf("cay") });
  book.write("ann", { kind: "role", identity: identityOf("ben"), role: "owner" });
  book.write("ann", { kind: "leave" });
  book.write("ben", { kind: "timer", seconds: 0 });
  book.add("ben", "cay", "owner");
  book.write("cay", { kind: "close" });
  return {
    people: Object.fromEntries(NAMES.map((name) => [name, toHex(seedOf(name))])),
    rosters: [
      {
        entries: book.entries.map(toHex),
        values: book.entries.map((signed) => cbor(roster.read(signed).entry)),
        states: book.states.map((state) => cbor(membership.store(state))),
      },
    ],
    info: {
      key: toHex(INFO_KEY),
      channel: toHex(CHANNEL),
      nonce: toHex(own("info nonce", 24)),
      info: cbor(INFO),
      sealed: toHex(sealed),
    },
  };
}

export async function senderKeys() {
  const book = begun();
  const steps: Step[] = [];
  const messages: string[] = [];
  const devices: Record<string, [string, string]> = {};
  const ciphers: Record<string, SenderKeys> = {};
  for (const name of NAMES) {
    const own = { identity: identityOf(name), device: deviceOf(name) };
    ciphers[name] = new SenderKeys(own, name === "ann" ? INFO_KEY : undefined);
    devices[name] = [toHex(own.identity), toHex(own.device)];
  }
  const present = (...names: string[]): [string, string[]][] =>
    names.map((name) => [toHex(identityOf(name)), [toHex(deviceOf(name))]]);
  const fresh = (octets: number) => toHex(own(`fresh ${steps.length}`, octets));
  const step = async (one: Step): Promise<Step> => {
    const state = one.state ?? book.states.length;
    const whole = { ...one, state, ...(await perform(ciphers[one.who]!, book.states, { ...one, state })) };
    steps.push(whole);
    return whole;
  };
  const share = async (who: string, ...to: string[]) => {
    const there = present(...NAMES.slice(0, 3));
    await step({ do: "why", who, present: there, hour: HOUR });
    await step({ do: "renew", who, present: there, hour: HOUR, fresh: fresh(64) });
    await step({ do: "missing", who, present: there });
    for (const name of to) {
      const told = { id: fresh(16), sent: HOUR * 3600 };
      const { content } = await step({ do: "give", who, to: devices[name]!, ...told });
      await step({ do: "take", who: name, sender: devices[who]!, content: content ?? null });
    }
  };
  const say = async (who: string, words: string) => {
    const payload = toHex(new TextEncoder().encode(words));
    const { message } = await step({ do: "seal", who, payload, fresh: fresh(24) });
    messages.push(message ?? "");
  };
  const hear = (who: string, number: number, at: number, state?: number) =>
    step({ do: "open", who, number, message: messages[at]!, ...(state === undefined ? {} : { state }) });

  await share("ann", "ben", "cay");
  await share("cay", "ann", "ben");
  for (let at = 0; at < 6; at++) await say(at % 2 ? "cay" : "ann", `line ${at}`);
  for (const at of [0, 2, 1, 5]) await hear("ben", at + 4, at);
  for (const at of [3, 4, 4, 0]) await hear("ben", at + 4, at);
  await hear("dov", 4, 0);
  await hear("ben", 11, 4);
  book.write("ben", { kind: "remove", identity: identityOf("cay") });
  await say("cay", "still here?");
  await say("ann", "under old keys");
  await hear("ben", 5, 1, 3);
  await share("ann", "ben");
  await say("ann", "\u6c34".repeat(6000));
  await hear("ben", 12, 8);
  await hear("ann", 12, 8);
  await hear("cay", 12, 8);
  const told = { id: fresh(16), sent: 1 };
  for (const name of ["ben", "cay", "dov"])
    await step({ do: "answer", who: "ann", to: devices[name]!, wanted: messages[0]!.slice(2, 34), ...told });
  await step({ do: "forget", who: "ben", oldest: { [messages[8]!.slice(2, 34)]: 0 } });
  return {
    roster: book.entries.map(toHex),
    info_key: { ann: toHex(INFO_KEY) },
    devices,
    steps,
  };
}

export function channelContents() {
  const common = { v: 1, id: own("said", 16), sent: HOUR * 3600 } as const;
  const target = own("target", 16);
  const book = begun();
  const contents: ChannelContent[] = [
    { ...common, kind: "text", text: "@ben \u05e9\u05dc\u05d5\u05dd", reply: target },
    { ...common, kind: "edit", target, text: "\u{1f41a}".repeat(15_000), timer: 60 },
    { ...common, kind: "reaction", target, emoji: "" },
    { ...common, kind: "delete", target },
    { ...common, kind: "pin", target, on: true },
  ];
  return {
    contents: contents.map((each) => ({ kind: each.kind, payload: toHex(writeChannelContent(each)) })),
    roster: book.entries.map(toHex),
    mentions: ["@cay: @ANN?", "@ben.", "@ben.k", "\u{1f41a}@ann"].map((words) => ({
      words,
      names: mentions(words, book.states.at(-1)!).map((member) => member.name),
    })),
  };
}
