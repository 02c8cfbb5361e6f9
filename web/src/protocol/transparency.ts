/**
 * The transparency log as its readers check it: RFC 6962 trees, C2SP signed notes.
 *
 * A box that shows two people different keys for one name must show them different trees, and a checkpoint
 * is a signature it cannot take back.
 */
import { equal, concat, utf8 } from "./bytes.ts";
import type { Bundle, Entry, Found } from "./directory.ts";
import { hash, verifyPlain } from "./keys.ts";
import { address } from "./onion.ts";
import { readBundle, readEntry, type Wanted } from "./prekeys.ts";
import { Refusal, refusing } from "./refusal.ts";
import { bytes, integer, list, map, optional, text } from "./shape.ts";
import { MAX_SIGNED } from "./signed.ts";

/** A tree as a checkpoint names it: whose, how many leaves, their root hash. Kept for each box. */
export interface LogHead {
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
}

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);
const SIGNATURE_KIND = Uint8Array.of(1);
const HASH_SIZE = 32;
const KEY_HASH_SIZE = 4;
const MAX_NOTE = 4096;
const MAX_PROOF = 128;
/** Bundles in one answer: one for each device. */
const MAX_SHOWN = 16;
const SIZE = /^(0|[1-9][0-9]{0,15})$/;

/** The hash of a leaf. */
export function leafHash(entry: Uint8Array): Uint8Array {
  return hash(LEAF, entry);
}

/** The root hash over signed entries; of none SHA-256 of nothing. */
export function rootOf(entries: readonly Uint8Array[]): Uint8Array {
  if (entries.length === 0) return hash();
  if (entries.length === 1) return leafHash(entries[0]!);
  const split = 2 ** (31 - Math.clz32(entries.length - 1));
  return nodeHash(rootOf(entries.slice(0, split)), rootOf(entries.slice(split)));
}

/** Refusal bad_log unless this signed entry is leaf `index` of the tree. */
export function checkInclusion(
  entry: Uint8Array,
  index: number,
  head: LogHead,
  hashes: readonly Uint8Array[],
): void {
  const inside = Number.isSafeInteger(index) && index >= 0 && index < head.size;
  if (!inside || !areHashes(hashes)) throw new Refusal("bad_log");
  const climb = new Climb(index, head.size - 1);
  let value = leafHash(entry);
  for (const each of hashes) value = climb.step() ? nodeHash(each, value) : nodeHash(value, each);
  if (!climb.done || !equal(value, head.root)) throw new Refusal("bad_log");
}

/** Refusal bad_log unless the older tree is a prefix of the newer one. */
export function checkConsistency(older: LogHead, newer: LogHead, hashes: readonly Uint8Array[]): void {
  if (older.origin !== newer.origin || older.size > newer.size || !areHashes(hashes))
    throw new Refusal("bad_log");
  if (older.size === 0 || older.size === newer.size) {
    const same = older.size === 0 || equal(older.root, newer.root);
    if (hashes.length > 0 || !same) throw new Refusal("bad_log");
    return;
  }
  const climb = new Climb(older.size - 1, newer.size - 1);
  climb.skipOdd();
  // A prefix that is a perfect subtree is its own beginning of the proof.
  const path = climb.atStart ? [older.root, ...hashes] : hashes;
  if (path.length === 0) throw new Refusal("bad_log");
  let [before, after] = [path[0]!, path[0]!];
  for (const each of path.slice(1)) {
    if (climb.step()) [before, after] = [nodeHash(each, before), nodeHash(each, after)];
    else after = nodeHash(after, each);
  }
  const proven = climb.done && equal(before, older.root) && equal(after, newer.root);
  if (!proven) throw new Refusal("bad_log");
}

/** The tree in a note that the box with this public key signed; other signatures are passed over. Refusal bad_log. */
export function readCheckpoint(note: string, onion: Uint8Array): LogHead {
  return refusing("bad_log", () => {
    const origin = `${address(onion)}/directory`;
    const gap = note.indexOf("\n\n");
    const body = note.slice(0, gap);
    const lines = body.split("\n");
    if (note.length > MAX_NOTE || gap < 0 || lines.length !== 3) throw new Refusal("bad_log");
    if (lines[0] !== origin || !SIZE.test(lines[1]!)) throw new Refusal("bad_log");
    const size = Number(lines[1]);
    if (!Number.isSafeInteger(size)) throw new Refusal("bad_log");
    const signature = signatureOf(note.slice(gap + 2), origin, onion);
    verifyPlain(onion, signature, utf8(`${body}\n`));
    return { origin, size, root: fromBase64(lines[2]!, HASH_SIZE) };
  });
}

const HASHES = list(bytes(HASH_SIZE), MAX_PROOF);
const FOUND = map({
  entry: bytes(0, MAX_SIGNED),
  proof: map({
    index: integer(0),
    hashes: HASHES,
    checkpoint: text(MAX_NOTE),
    consistency: optional(HASHES),
  }),
  bundles: list(bytes(0, MAX_SIGNED), MAX_SHOWN),
});

/** What a look-up found, once all of it is checked. */
export interface Known {
  readonly entry: Entry;
  readonly signed: Uint8Array;
  /** Of the devices whose bundle is right: one that is wrong leaves out only its own device. */
  readonly bundles: Bundle[];
  readonly head: LogHead;
}

/** Everything a client checks of a look-up. `older` is the last head kept of that box's log. Refusal bad_answer, bad_entry, old_entry, bad_log. */
export function readDirectory(
  found: Found,
  want: Wanted & { name: string; onion: Uint8Array },
  older: LogHead | null,
): Known {
  const { entry: data, proof, bundles: shown } = refusing("bad_answer", () => FOUND({ ...found } as never));
  const entry = readEntry(data, want);
  const head = readCheckpoint(proof.checkpoint, want.onion);
  checkInclusion(data, proof.index, head, proof.hashes);
  if (older) checkConsistency(older, head, proof.consistency ?? []);
  const bundles: Bundle[] = [];
  for (const one of shown.slice(0, entry.devices.length)) {
    const bundle = bundleIn(one, entry);
    const another = (one: Bundle) => bundle && equal(one.device, bundle.device);
    if (bundle && !bundles.some(another)) bundles.push(bundle);
  }
  return { entry, signed: data, bundles, head };
}

function bundleIn(data: Uint8Array, entry: Entry): Bundle | undefined {
  try {
    return readBundle(data, entry);
  } catch {
    return undefined;
  }
}

/** The way from a leaf to the root; `step` tells whether the next hash of a proof stands on the left. */
class Climb {
  constructor(
    private at: number,
    private last: number,
  ) {}

  get done(): boolean {
    return this.last === 0;
  }

  get atStart(): boolean {
    return this.at === 0;
  }

  step(): boolean {
    if (this.done) throw new Refusal("bad_log");
    const left = isOdd(this.at) || this.at === this.last;
    if (left) while (!isOdd(this.at) && this.at > 0) this.#up();
    this.#up();
    return left;
  }

  skipOdd(): void {
    while (isOdd(this.at)) this.#up();
  }

  // Divided, not shifted: sizes may have more than 32 bits.
  #up(): void {
    this.at = Math.floor(this.at / 2);
    this.last = Math.floor(this.last / 2);
  }
}

function isOdd(value: number): boolean {
  return value % 2 === 1;
}

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return hash(NODE, left, right);
}

function areHashes(hashes: readonly Uint8Array[]): boolean {
  return hashes.length <= MAX_PROOF && hashes.every((each) => each.length === HASH_SIZE);
}

/** The box's own signature among a note's signature lines. */
function signatureOf(signatures: string, origin: string, onion: Uint8Array): Uint8Array {
  if (!signatures.endsWith("\n")) throw new Refusal("bad_log");
  const name = hash(utf8(`${origin}\n`), SIGNATURE_KIND, onion).subarray(0, KEY_HASH_SIZE);
  for (const line of signatures.slice(0, -1).split("\n")) {
    const [mark, who, ...rest] = line.split(" ");
    const words = rest.join(" ");
    if (mark !== "\u2014" || !who || !words) throw new Refusal("bad_log");
    if (who !== origin) continue;
    const signature = fromBase64(words, KEY_HASH_SIZE + 64);
    if (equal(signature.subarray(0, KEY_HASH_SIZE), name)) return signature.slice(KEY_HASH_SIZE);
  }
  throw new Refusal("bad_log");
}

/** Bytes of padded base64 in its one spelling. */
function fromBase64(spelled: string, size: number): Uint8Array {
  const data = Uint8Array.from(atob(spelled), (letter) => letter.charCodeAt(0));
  if (data.length !== size || btoa(String.fromCharCode(...data)) !== spelled) throw new Refusal("bad_log");
  return concat(data);
}
