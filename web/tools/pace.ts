/** What the protocol takes in a browser, measured there by `pace.mjs`: milliseconds of work by what is done. */
import { encode } from "../src/protocol/cbor.ts";
import { makeCertificate } from "../src/protocol/certificate.ts";
import { readContent, writeContent } from "../src/protocol/content.ts";
import type { Bundle, Entry, Found } from "../src/protocol/directory.ts";
import { envelopeId } from "../src/protocol/envelope.ts";
import { accept, openFirst } from "../src/protocol/first.ts";
import { agreementPublic, hash, signingPublic } from "../src/protocol/keys.ts";
import { concat, utf8 } from "../src/protocol/bytes.ts";
import { address } from "../src/protocol/onion.ts";
import * as peers from "../src/protocol/peer.ts";
import * as prekeys from "../src/protocol/prekeys.ts";
import { openVault, recordId, sealRecord } from "../src/protocol/record.ts";
import { DEFAULT_KDF, stretch } from "../src/protocol/stretching.ts";
import { leafHash, readDirectory } from "../src/protocol/transparency.ts";
import { ed25519 } from "@noble/curves/ed25519.js";
import { measureChannel } from "./paceChannel.ts";

const HOUR = 498_000;
const ROUNDS = 5;
const TIMES = 10;
const PREKEYS = 100;
const NOTHING = utf8("");

const random = (octets: number) => crypto.getRandomValues(new Uint8Array(octets));
const pause = () => new Promise<void>((resolve) => setTimeout(resolve));

/** An account with one device. */
function person(name: string, box: Uint8Array) {
  const [identity, signing, agreement, device] = [random(32), random(32), random(32), random(16)];
  const shown = {
    device,
    signing: signingPublic(signing),
    agreement: agreementPublic(agreement),
    added_hour: HOUR,
  };
  const lasting = prekeys.makeLasting(1, 1, HOUR, random);
  const own = { identity: signingPublic(identity), device, agreement };
  const entry: Entry = {
    version: 1,
    name,
    onion: signingPublic(box),
    identity: own.identity,
    revision: 1,
    issued_hour: HOUR,
    devices: [shown],
  };
  const certificate = makeCertificate(identity, {
    name,
    onion: entry.onion,
    device,
    agreement: shown.agreement,
    issued_hour: HOUR,
    expires_hour: HOUR + 168,
  });
  const bundle = prekeys.bundleOf(own.identity, device, lasting, [], HOUR);
  return { own, signing, shown, lasting, certificate, bundle, signed: prekeys.signEntry(identity, entry) };
}

/** What a box answers to a look-up, with a log of this one entry. */
function answer(box: Uint8Array, signed: Uint8Array, signing: Uint8Array, bundle: Bundle): Found {
  const onion = signingPublic(box);
  const origin = `${address(onion)}/directory`;
  const base64 = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes));
  const body = `${origin}\n1\n${base64(leafHash(signed))}\n`;
  const id = hash(utf8(`${origin}\n`), Uint8Array.of(1), onion).subarray(0, 4);
  const note = `${body}\n\u2014 ${origin} ${base64(concat(id, ed25519.sign(utf8(body), box)))}\n`;
  const proof = { index: 0, hashes: [], checkpoint: note, consistency: null };
  return { entry: signed, proof, bundles: [prekeys.signBundle(signing, bundle)] };
}

async function measure(): Promise<Record<string, number>> {
  const told: Record<string, number> = {};
  const tell = (what: string, milliseconds: number) => {
    told[what] = Math.round(milliseconds * 100) / 100;
  };
  const timed = async <T>(what: string, make: () => T | Promise<T>): Promise<T> => {
    const start = performance.now();
    const made = await make();
    tell(what, performance.now() - start);
    return made;
  };
  /** The best of some rounds, each of them of many: others use the machine too, and clocks of browsers are coarse. */
  const often = async (what: string, make: () => void | Promise<void>) => {
    let best = Infinity;
    for (let round = 0; round < ROUNDS; round++) {
      const start = performance.now();
      for (let at = 0; at < TIMES; at++) await make();
      best = Math.min(best, (performance.now() - start) / TIMES);
    }
    tell(what, best);
  };
  const box = random(32);
  const ada = person("ada", box);
  const bob = person("bob", box);
  const found = answer(box, bob.signed, bob.signing, bob.bundle);
  const once = prekeys.makeOneTime(bob.own.device, bob.signing, 7, random);
  const text = (words: string) => writeContent({ v: 1, id: random(16), kind: "text", sent: 1, text: words });

  let mine = peers.makePeer(bob.own.identity, bob.shown);
  await often("look-up checked", () => {
    const known = readDirectory(found, { name: "bob", onion: signingPublic(box) }, null);
    prekeys.checkOneTime(once.prekey, bob.shown);
    mine = peers.makePeer(known.entry.identity, known.entry.devices[0]!);
  });
  let first: { peer: peers.Peer; envelope: Uint8Array } = { peer: mine, envelope: NOTHING };
  await often("first message sealed", () => {
    const begun = peers.begin(mine, ada.own, bob.bundle, once.prekey, HOUR, random);
    first = peers.seal(begun, ada.certificate, text("hello"), "usual", random);
  });
  mine = first.peer;
  const secrets = { lasting: [bob.lasting], one_time: () => once.secret };
  let theirs = mine;
  await often("first message read", () => {
    const initial = openFirst(bob.own, first.envelope, HOUR)!;
    theirs = accept(bob.own, initial, secrets, null, HOUR, random).peer;
  });
  const back = peers.seal(theirs, bob.certificate, text("yes"), "usual", random);
  theirs = back.peer;
  mine = peers.open(mine, back.envelope, HOUR, random)!.peer;

  const words = "a line of the usual length, as people write it to one another";
  const say = () => {
    const sealed = peers.seal(mine, NOTHING, text(words), "usual", random);
    mine = sealed.peer;
    return sealed.envelope;
  };
  const hear = (envelope: Uint8Array) => {
    const opened = peers.open(theirs, envelope, HOUR, random)!;
    theirs = opened.peer;
    readContent(opened.payload);
  };
  const keys = await openVault(random(32));
  const id = recordId(keys, "peer");
  const said: Uint8Array[] = [];
  await often("message sealed", () => void said.push(say()));
  await often("its state stored", async () => void (await sealRecord(keys, id, 1, mine, random)));
  await often("its id", () => void envelopeId(said[0]!));
  await often("message read", () => hear(said.shift()!));
  await often("question and answer, both ends", () => {
    hear(say());
    const answered = peers.seal(theirs, NOTHING, text(words), "usual", random);
    theirs = answered.peer;
    mine = peers.open(mine, answered.envelope, HOUR, random)!.peer;
  });
  await often("receipt sealed", () => {
    mine = peers.seal(mine, NOTHING, text(""), "small", random).peer;
  });
  for (let lost = 0; lost < 99; lost++) say();
  const late = say();
  await timed("message read after 149 lost", () => hear(late));
  const noise = concat(Uint8Array.of(1), random(4031));
  await often("envelope of a stranger tried in vain", () => {
    if (peers.open(theirs, noise, HOUR, random) ?? openFirst(bob.own, noise, HOUR)) throw new Error("opened");
  });
  let longest = 0;
  let last = performance.now();
  await timed(`${PREKEYS} prekeys`, () =>
    prekeys.makeOneTimes(ada.own.device, ada.signing, 1, PREKEYS, random, async () => {
      longest = Math.max(longest, performance.now() - last);
      await pause();
      last = performance.now();
    }),
  );
  tell("longest slice of them", longest);
  await timed("passphrase stretched", () =>
    stretch("amber kelp seven", { salt: random(16), ...DEFAULT_KDF }),
  );
  await measureChannel(tell);
  told["octets of the stored peer"] = encode(theirs).length;
  return told;
}

Object.assign(globalThis, { measure });
