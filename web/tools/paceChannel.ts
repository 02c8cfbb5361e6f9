/** What channels take in a browser: a long roster, and the catch-up of many messages. For `pace.ts`. */
import { concat } from "../src/protocol/bytes.ts";
import { readChannelContent, writeChannelContent } from "../src/protocol/channelContent.ts";
import { SenderKeys, type Posted } from "../src/protocol/groupCipher.ts";
import { hash, sign, signingPublic, verify } from "../src/protocol/keys.ts";
import { isStrict } from "../src/protocol/manySignatures.ts";
import * as membership from "../src/protocol/membership.ts";
import type { State } from "../src/protocol/membership.ts";
import * as roster from "../src/protocol/roster.ts";
import type { Change } from "../src/protocol/roster.ts";

const HOUR = 498_000;
const MESSAGES = 1000;
const ENTRIES = 1000;
const MEMBERS = 200;
const DEVICES = 20;

const random = (octets: number) => crypto.getRandomValues(new Uint8Array(octets));
const pause = () => new Promise<void>((resolve) => setTimeout(resolve));

/** A channel whose roster has so many entries: 200 members, then its settings over and over. */
function manyEntries(seeds: readonly Uint8Array[]): Uint8Array[] {
  const [channel, onion] = [random(16), random(32)];
  const entries: Uint8Array[] = [];
  let previous: Uint8Array = new Uint8Array(32);
  const seed = seeds[0]!;
  const actor = signingPublic(seed);
  const write = (change: Change): void => {
    const number = entries.length + 1;
    const signed = roster.sign(seed, { version: 1, channel, number, previous, hour: HOUR, actor, change });
    previous = hash(signed);
    entries.push(signed);
  };
  const info = { title: "pace", topic: "" };
  write({ kind: "create", public: true, name: "m0", onion, info, timer: 0, slow: 0 });
  for (let at = 1; at < MEMBERS; at++) {
    const identity = at < seeds.length ? signingPublic(seeds[at]!) : random(32);
    write({ kind: "add", name: `m${at}`, onion, identity, role: "member" });
  }
  for (let at = entries.length; at < ENTRIES; at++) write({ kind: "timer", seconds: at });
  return entries;
}

/** Writers who are members, and one who reads them all; messages by turns, as in a lively talk. */
function talk(state: State, seeds: readonly Uint8Array[]): { reader: SenderKeys; posted: Posted[] } {
  const device = random(16);
  const reader = new SenderKeys({ identity: signingPublic(seeds[0]!), device });
  const writers = seeds.slice(1, DEVICES + 1).map((seed) => {
    const own = { identity: signingPublic(seed), device: random(16) };
    const keys = new SenderKeys(own);
    keys.renew(state, [{ identity: own.identity, devices: [own.device] }], HOUR, random);
    reader.take(keys.give(state, reader.own, { id: random(16), sent: 1 }), own);
    return keys;
  });
  const text = "a line of the usual length, as people write it to one another";
  const posted = Array.from({ length: MESSAGES }, (_, at) => {
    const payload = writeChannelContent({ v: 1, id: random(16), kind: "text", sent: 1, text });
    return { number: at + 1, message: writers[at % DEVICES]!.seal(state, payload, random), state };
  });
  return { reader, posted };
}

/** Tell what these take, in milliseconds. */
export async function measureChannel(tell: (what: string, milliseconds: number) => void): Promise<void> {
  const seeds = Array.from({ length: DEVICES + 1 }, () => random(32));
  const entries = manyEntries(seeds);
  tell("the browser's Ed25519 is trusted (1: yes)", Number(await isStrict()));
  let start = performance.now();
  const links = await roster.readAll(entries);
  tell(`${ENTRIES} roster entries verified`, performance.now() - start);
  start = performance.now();
  const state = membership.replay(links);
  tell(`${ENTRIES} roster entries applied, ${MEMBERS} members`, performance.now() - start);
  const { reader, posted } = talk(state, seeds);
  let longest = 0;
  start = performance.now();
  let last = start;
  const heard = await reader.openAll(posted, async () => {
    longest = Math.max(longest, performance.now() - last);
    await pause();
    last = performance.now();
  });
  for (const one of heard) if ("payload" in one) readChannelContent(one.payload);
  tell(`catch-up of ${MESSAGES} channel messages`, performance.now() - start);
  tell("longest slice of it", longest);
  if (!heard.every((one) => "payload" in one)) throw new Error("not all were read");
  const seed = random(32);
  const message = concat(random(1000));
  const signature = sign(seed, "pace", message);
  const key = signingPublic(seed);
  verify(key, signature, "pace", message);
  start = performance.now();
  for (let at = 0; at < 20; at++) verify(key, signature, "pace", message);
  tell(
    `${MESSAGES} signatures, were they verified in scripts`,
    ((performance.now() - start) * MESSAGES) / 20,
  );
}
