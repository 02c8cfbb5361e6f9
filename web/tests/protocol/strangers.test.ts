/** Whatever bytes or letters come from outside, every reader ends in a value or in a refusal. */
import { expect, test } from "vitest";
import * as attachment from "../../src/protocol/attachment.ts";
import { readCode } from "../../src/protocol/backupCode.ts";
import { decode } from "../../src/protocol/cbor.ts";
import { readCertificate } from "../../src/protocol/certificate.ts";
import { readChannelContent } from "../../src/protocol/channelContent.ts";
import { openInfo } from "../../src/protocol/channelInfo.ts";
import { parse } from "../../src/protocol/channelMessage.ts";
import { check } from "../../src/protocol/envelope.ts";
import { SenderKeys } from "../../src/protocol/groupCipher.ts";
import * as membership from "../../src/protocol/membership.ts";
import * as roster from "../../src/protocol/roster.ts";
import { openFirst } from "../../src/protocol/first.ts";
import { openLink, readLink } from "../../src/protocol/link.ts";
import { cleanFileName, readPerson } from "../../src/protocol/names.ts";
import * as peers from "../../src/protocol/peer.ts";
import { readBundle, readEntry } from "../../src/protocol/prekeys.ts";
import { openRecord, openVault } from "../../src/protocol/record.ts";
import { openSignal } from "../../src/protocol/signals.ts";
import { unwrapVaultKey } from "../../src/protocol/stretching.ts";
import { readCheckpoint } from "../../src/protocol/transparency.ts";
import { A, B } from "./made/cast.ts";
import { signNote } from "./made/directory.ts";
import { hex, refusalOf, refusalOfPromise, seed, seeded, vectors } from "../vectors.ts";

const RUNS = 150;
const HOUR = 498_000;
const random = seeded("strangers");
const below = (most: number) => ((random(1)[0]! << 8) | random(1)[0]!) % most;

const bundles = vectors<{ signed_entry: string; signed_bundle: string }>("prekeys");
const entry = readEntry(hex(bundles.signed_entry));
const certificate = hex(vectors<{ signed: string }>("certificate").signed);
const stored = hex(vectors<{ start: { a: string } }>("peer").start.a);
const signals = vectors<{ peers: { a: string; b: string }; signals: { envelope: string }[] }>("signals");
const known = peers.readPeer(decode(hex(signals.peers.b)));
const packet = vectors<{ id: string; secret: string; packet: string; fragment: string }>("link");
const note = signNote(seed("box"), entry.onion, 3, seed("root"));
const rosters = vectors<{ rosters: { entries: string[]; states: string[] }[]; info: Record<string, string> }>(
  "roster",
);
const { entries, states } = rosters.rosters[0]!;
const said = vectors<{ contents: { payload: string }[] }>("channel_content").contents;
const story = vectors<{ steps: { message?: string; changes: Record<string, string | null> }[] }>(
  "sender_keys",
);
const posted = hex(story.steps.find(({ message }) => message)!.message!);
const kept = story.steps.flatMap(({ changes }) => Object.entries(changes)).filter(([, value]) => value);

/** Some bytes changed, left out or put in; now and then nothing but noise. */
function changed(bytes: Uint8Array): Uint8Array {
  if (below(12) === 0) return random(below(300));
  const list = [...bytes];
  for (let times = below(3); times >= 0; times--) {
    const at = below(list.length + 1);
    list.splice(at, below(3), ...random(below(3)));
  }
  return Uint8Array.from(list);
}

function changedText(text: string): string {
  const bytes = changed(new TextEncoder().encode(text));
  return new TextDecoder().decode(bytes);
}

const readers: Record<string, () => unknown> = {
  entry: () => readEntry(changed(hex(bundles.signed_entry))),
  bundle: () => readBundle(changed(hex(bundles.signed_bundle)), entry),
  certificate: () => readCertificate(changed(certificate), HOUR),
  "stored peer": () => peers.readPeer(decode(changed(stored))),
  envelope: () => check(changed(new Uint8Array(960))),
  "session envelope": () => peers.open(known, changed(hex(signals.signals[0]!.envelope)), HOUR, random),
  "first envelope": () => openFirst(B.own, changed(new Uint8Array(1984).fill(1)), HOUR),
  signal: () => openSignal(known, changed(hex(signals.signals[0]!.envelope)), HOUR * 3600),
  "link packet": () => openLink(hex(packet.id), hex(packet.secret), changed(hex(packet.packet))),
  "wrapped key": () => unwrapVaultKey(seed("w"), seed("a", 16), changed(new Uint8Array(72))),
  fragment: () => readLink(changedText(packet.fragment)),
  code: () => readCode(changedText("E6SQ0-G543B-FS50P-A8PWG-6J5P0-W")),
  note: () => readCheckpoint(changedText(note), entry.onion),
  "roster entry": () => {
    const at = below(entries.length - 1);
    const state = membership.load(decode(hex(states[at]!)));
    return membership.apply(state, roster.read(changed(hex(entries[at + 1]!))));
  },
  "stored roster": () => membership.load(decode(changed(hex(states[below(states.length)]!)))),
  "channel info": () =>
    openInfo(hex(rosters.info["key"]!), hex(rosters.info["channel"]!), changed(hex(rosters.info["sealed"]!))),
  "channel message": () => parse(changed(posted)),
  "channel content": () => readChannelContent(changed(hex(said[below(said.length)]!.payload).slice(0, 500))),
  "stored keys of a channel": () => {
    const [name, value] = kept[below(kept.length)]!;
    new SenderKeys(A.own).load(new Map([[name, decode(changed(hex(value!)))]]));
  },
  address: () => readPerson(changedText(`${A.name}@${note.slice(0, 62)}`)),
  "file name": () => cleanFileName(changedText("../a/photo of the bay.jpeg")),
};

test.each(Object.entries(readers))("%s", (_, read) => {
  // Any other error would end the test.
  for (let run = 0; run < RUNS; run++) expect(refusalOf(read)).toMatch(/^[a-z_]+$/);
});

test("records and chunks", async () => {
  const keys = await openVault(seed("vault"));
  const key = await attachment.importKey(seed("key"));
  const plan = attachment.plan(5);
  for (let run = 0; run < RUNS; run++) {
    const record = openRecord(keys, seed("id", 16), 1, changed(new Uint8Array(100).fill(1)));
    expect(["not_opened", "unknown_version"]).toContain(await refusalOfPromise(record));
    const chunk = attachment.openChunk(key, plan, below(3) - 1, changed(new Uint8Array(16_320).fill(1)));
    expect(await refusalOfPromise(chunk)).toBe("not_opened");
  }
});
