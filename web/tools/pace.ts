/** What the protocol takes in a browser, measured there by `pace.mjs`: milliseconds of work by what is done. */
import { encode } from "../src/protocol/cbor.ts";
import { makeCertificate } from "../src/protocol/certificate.ts";
import { readContent, sizeOf, writeContent } from "../src/protocol/content.ts";
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

const HOUR = 498_000;
const MESSAGES = 20;
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
  const timed = async <T>(what: string, times: number, make: () => T | Promise<T>): Promise<T> => {
    const start = performance.now();
    const made = await make();
    told[what] = Math.round(((performance.now() - start) / times) * 100) / 100;
    return made;
  };
  const box = random(32);
  const ada = person("ada", box);
  const bob = person("bob", box);
  const found = answer(box, bob.signed, bob.signing, bob.bundle);
  const once = prekeys.makeOneTime(bob.own.device, bob.signing, 7, random);
  const text = (words: string) => writeContent({ v: 1, id: random(16), kind: "text", sent: 1, text: words });

  let mine = await timed("look-up checked", 1, () => {
    const known = readDirectory(found, { name: "bob", onion: signingPublic(box) }, null);
    prekeys.checkOneTime(once.prekey, bob.shown);
    return peers.makePeer(known.entry.identity, known.entry.devices[0]!);
  });
  const first = await timed("first message sealed", 1, () => {
    const begun = peers.begin(mine, ada.own, bob.bundle, once.prekey, HOUR, random);
    return peers.seal(begun, ada.certificate, text("hello"), "usual", random);
  });
  mine = first.peer;
  const secrets = { lasting: [bob.lasting], one_time: () => once.secret };
  let theirs = await timed("first message read", 1, () => {
    const initial = openFirst(bob.own, first.envelope, HOUR)!;
    return accept(bob.own, initial, secrets, null, HOUR, random).peer;
  });
  const back = peers.seal(theirs, bob.certificate, text("yes"), "usual", random);
  theirs = back.peer;
  mine = peers.open(mine, back.envelope, HOUR, random)!.peer;

  const words = "a line of the usual length, as people write it to one another";
  const keys = await openVault(random(32));
  const id = recordId(keys, "peer");
  const envelopes: Uint8Array[] = [];
  await timed("message sealed and its state stored", MESSAGES, async () => {
    for (let at = 0; at < MESSAGES; at++) {
      const sealed = peers.seal(mine, NOTHING, text(words), "usual", random);
      mine = sealed.peer;
      await sealRecord(keys, id, at, mine as never, random);
      envelopeId(sealed.envelope);
      envelopes.push(sealed.envelope);
    }
  });
  await timed("message read", MESSAGES, () => {
    for (const envelope of envelopes) {
      const opened = peers.open(theirs, envelope, HOUR, random)!;
      theirs = opened.peer;
      sizeOf(readContent(opened.payload));
    }
  });
  await timed("question and answer, both ends", MESSAGES, () => {
    for (let at = 0; at < MESSAGES; at++) {
      const asked = peers.seal(mine, NOTHING, text(words), "usual", random);
      theirs = peers.open(theirs, asked.envelope, HOUR, random)!.peer;
      const answered = peers.seal(theirs, NOTHING, text(words), "usual", random);
      mine = peers.open(asked.peer, answered.envelope, HOUR, random)!.peer;
      theirs = answered.peer;
    }
  });
  await timed("receipt sealed", MESSAGES, () => {
    for (let at = 0; at < MESSAGES; at++) mine = peers.seal(mine, NOTHING, text(""), "small", random).peer;
  });
  const lost = Array.from({ length: 100 }, () => {
    const sealed = peers.seal(mine, NOTHING, text(words), "usual", random);
    mine = sealed.peer;
    return sealed.envelope;
  });
  theirs = await timed(
    "message read after 99 lost",
    1,
    () => peers.open(theirs, lost[99]!, HOUR, random)!.peer,
  );
  await timed("envelope of a stranger tried in vain", MESSAGES, () => {
    for (let at = 0; at < MESSAGES; at++) {
      const noise = concat(Uint8Array.of(1), random(4031));
      if (peers.open(theirs, noise, HOUR, random) ?? openFirst(bob.own, noise, HOUR))
        throw new Error("opened");
    }
  });
  let longest = 0;
  let last = performance.now();
  await timed(`${PREKEYS} prekeys`, 1, () =>
    prekeys.makeOneTimes(ada.own.device, ada.signing, 1, PREKEYS, random, async () => {
      longest = Math.max(longest, performance.now() - last);
      await pause();
      last = performance.now();
    }),
  );
  told["longest slice of them"] = Math.round(longest * 100) / 100;
  await timed("passphrase stretched", 1, () =>
    stretch("amber kelp seven", { salt: random(16), ...DEFAULT_KDF }),
  );
  told["octets of the stored peer"] = encode(theirs).length;
  return told;
}

Object.assign(globalThis, { measure });
