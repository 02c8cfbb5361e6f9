/**
 * Messages on their way in. What waits in the queue is opened, what follows from it goes into the vault in one
 * change, and only then is it settled at the box: a cut in between brings it again, and the head's `done` mark
 * tells that it was processed.
 */
import { equal, toHex } from "../../protocol/bytes.ts";
import { readContent, type Content } from "../../protocol/content.ts";
import { envelopeId } from "../../protocol/envelope.ts";
import { accept, openFirst, remember, type Initial, type PrekeySecrets } from "../../protocol/first.ts";
import { address } from "../../protocol/onion.ts";
import { open, type Peer } from "../../protocol/peer.ts";
import type { Queue, Queued } from "../../protocol/post.ts";
import { note, wasSeen } from "../../protocol/replays.ts";
import { isForChannel } from "../channels/keys.ts";
import { random } from "../random.ts";
import { Displaced } from "../vault/vault.ts";
import { isOffline } from "../wire.ts";
import type { Core } from "./core.ts";
import type { Batch } from "./ledger.ts";
import {
  names,
  type KeysRecord,
  type NewerContent,
  type PrekeysRecord,
  type SessionRecord,
} from "./records.ts";

const LIMIT = 64;
const CHUNK_SIZE = 16_320;
/** Hours a large envelope of unknown meaning may wait for the message that explains it. */
const HOLD_HOURS = 48;
const MAX_FAULTS = 3;
/** Refusals of a message whose header is genuine: a replay, or the sender uses a chain again. */
const USED_AGAIN = new Set(["repeated", "bad_message"]);
/** Devices of one person there are sessions with: twice what an entry may name. */
const MAX_DEVICES = 32;

/** What one step of reading adds up to. */
export interface Effects {
  done: number[];
  keep: number[];
  held: number[];
  /** Ids of the envelopes in `keep`. */
  kept: Uint8Array[];
  /** Message ids to be acknowledged, by conversation. */
  receipts: Map<string, Uint8Array[]>;
  /** What devices told of themselves, to be acknowledged to each alone. */
  heard: Map<string, Uint8Array[]>;
  /** Devices that are out of step, by conversation. */
  lost: { conversation: string; peer: Uint8Array }[];
}

interface Opened {
  record: SessionRecord;
  payload: Uint8Array;
}

/** An envelope that is of a known device and cannot be read. */
class OutOfStep extends Error {
  constructor(readonly record: SessionRecord) {
    super();
  }
}

export class Inbound {
  #inline: Queued[] = [];
  #look = false;
  #running = false;
  #idle: (() => void)[] = [];
  #faults = new Map<number, number>();

  constructor(readonly core: Core) {}

  /** Look into the queue. */
  look(): void {
    this.#look = true;
    void this.#run();
  }

  /** What an event carried itself. */
  offer(queued: Queued[]): void {
    this.#inline.push(...queued);
    void this.#run();
  }

  /** Resolves when everything known of is read. */
  idle(): Promise<void> {
    return this.#running ? new Promise((done) => this.#idle.push(done)) : Promise.resolve();
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    for (let failures = 0; (this.#look || this.#inline.length > 0) && !this.core.closed;) {
      const before = this.#look;
      const inline = this.#inline.splice(0);
      this.#look = false;
      try {
        if (before) await this.#readAll();
        else await this.process(inline);
        failures = 0;
      } catch (error) {
        if (this.core.closed) break;
        // Whatever it was, the queue still has it.
        this.#look = true;
        if (isOffline(error)) this.core.offline(true);
        await this.core.pause(failures++);
      }
    }
    this.#running = false;
    for (const done of this.#idle.splice(0)) done();
  }

  async #readAll(): Promise<void> {
    for (let after = 0; ;) {
      const queue = await this.core.wire.get<Queue>(`/v1/queue?after=${after}&limit=${LIMIT}`);
      if (queue.envelopes.length > 0) await this.process(queue.envelopes);
      after = queue.envelopes.at(-1)?.number ?? after;
      if (!queue.more || queue.envelopes.length === 0) return;
    }
  }

  /** Read these, save, settle; in smaller steps what is too much for one change of the vault. */
  async process(items: readonly Queued[]): Promise<void> {
    try {
      await this.#process(items);
    } catch (error) {
      if ((error as { code?: string }).code !== "too_large" || items.length < 2) throw error;
      const middle = items.length >> 1;
      await this.process(items.slice(0, middle));
      await this.process(items.slice(middle));
    }
  }

  async #process(items: readonly Queued[]): Promise<void> {
    const effects = await this.core.ledger.run(async (batch) => {
      const effects: Effects = {
        done: [],
        keep: [],
        held: [],
        kept: [],
        receipts: new Map(),
        heard: new Map(),
        lost: [],
      };
      const head = this.core.ledger.head;
      for (const item of items) await this.#one(batch, item, effects, head.done, head.held);
      const top = Math.max(head.done, ...items.map((item) => item.number));
      const settled = new Set([...effects.done, ...effects.keep]);
      const held = [...new Set([...head.held, ...effects.held])].filter((number) => !settled.has(number));
      if (top !== head.done || held.length !== head.held.length)
        batch.head.push((now) => ({ ...now, done: top, held }));
      await this.core.receipts.seal(batch, effects);
      // Where nothing is to be saved it is settled alone.
      if (!batch.empty) batch.done.push(...effects.done.splice(0));
      return effects;
    });
    if (effects.done.length + effects.keep.length > 0) await this.#settle(effects);
    for (const { conversation, peer } of effects.lost) this.core.resync.begin(conversation, peer);
  }

  async #settle({ done, keep, kept }: Effects): Promise<void> {
    try {
      await this.core.wire.post("/v1/queue/settle", { done, keep });
      this.core.files.kept(kept);
    } catch (error) {
      if ((error as { code?: string }).code !== "kept_full") throw error;
      await this.core.wire.post("/v1/queue/settle", { done: [...done, ...keep] });
    }
  }

  async #one(batch: Batch, item: Queued, effects: Effects, top: number, held: number[]): Promise<void> {
    const id = envelopeId(item.envelope);
    if (this.core.files.wants(id)) {
      effects.keep.push(item.number);
      effects.kept.push(id);
      return;
    }
    if (item.number <= top && !held.includes(item.number)) return void effects.done.push(item.number);
    let opened: Opened | undefined;
    try {
      opened = await this.#open(batch, item);
    } catch (error) {
      if (error instanceof OutOfStep) this.#lost(batch, error.record, effects);
      else if (isOffline(error) || !this.#hopeless(item, error)) throw error;
      return void effects.done.push(item.number);
    }
    if (!opened) return this.#unknown(item, effects);
    effects.done.push(item.number);
    const { record, payload } = opened;
    await this.core.reading.take(batch, record, contentOf(payload, this.core.now()), effects);
  }

  /** Whether this envelope can never be read: it is refused, or it has failed several times in ways nobody foresaw. */
  #hopeless(item: Queued, error: unknown): boolean {
    if (error instanceof Displaced) return false;
    if ((error as { code?: string }).code) return true;
    const faults = (this.#faults.get(item.number) ?? 0) + 1;
    this.#faults.set(item.number, faults);
    return faults >= MAX_FAULTS;
  }

  /** A chunk whose message has not come yet, or nothing of ours. */
  #unknown(item: Queued, effects: Effects): void {
    const hold = item.envelope.length === CHUNK_SIZE && item.hour + HOLD_HOURS > this.core.hour();
    if (hold) effects.held.push(item.number);
    else effects.done.push(item.number);
  }

  #lost(batch: Batch, record: SessionRecord, effects: Effects): void {
    const { conversation, peer } = record;
    if (!this.core.chats.get(conversation)) {
      // Of a channel only: what is missing is asked for, in a new session.
      batch.set(names.session(this.core.seat.id, toHex(peer.device)), undefined);
      return;
    }
    if (effects.lost.some((one) => equal(one.peer, peer.device))) return;
    effects.lost.push({ conversation, peer: peer.device });
    // One line says it until they are in step again.
    if (this.core.chats.get(conversation)?.timeline.isLost(toHex(peer.device))) return;
    batch.log(conversation, { k: "l", at: this.core.stamp(), id: random(16), dev: peer.device });
    batch.after.push(() => this.core.chats.get(conversation)?.absorb(batch.events.get(conversation) ?? []));
  }

  async #open(batch: Batch, item: Queued): Promise<Opened | undefined> {
    const marks = this.core.ledger.head.sessions;
    const own = marks.find((mark) => equal(mark.handle, item.handle));
    const record = own && (await this.core.ledger.session(batch, toHex(own.peer)));
    if (record && this.core.chats.isBlocked(record.conversation)) return undefined;
    const first = record && this.#openWith(batch, record, item);
    if (first) return first;
    const initial = openFirst(this.core.own(), item.envelope, item.hour);
    if (initial) return this.#accept(batch, initial, item.hour);
    // One that writes to the request mailbox has not been told another one yet; it may be anybody's session.
    for (const mark of own ? [] : marks) {
      const other = await this.core.ledger.session(batch, toHex(mark.peer));
      const opened = other && this.#openWith(batch, other, item);
      if (opened) return opened;
    }
    if (record && item.envelope.length !== CHUNK_SIZE) throw new OutOfStep(record);
    return undefined;
  }

  #openWith(batch: Batch, record: SessionRecord, item: Queued): Opened | undefined {
    const message = item.envelope.subarray(1);
    let opened: { peer: Peer; payload: Uint8Array } | undefined;
    try {
      opened = open(record.peer, item.envelope, this.core.hour(), random);
    } catch (error) {
      const code = (error as { code?: string }).code ?? "";
      if (code === "out_of_step") throw new OutOfStep(record);
      throw USED_AGAIN.has(code) ? this.#usedAgain(batch, record, message, error) : error;
    }
    if (!opened) return undefined;
    const next = { ...record, peer: opened.peer, seen: note(record.seen ?? NOTHING, message) };
    batch.set(names.session(this.core.seat.id, toHex(record.peer.device)), next);
    return { record: next, payload: opened.payload };
  }

  /** What a header that came before is: a replay. Another one is of a device that was set back: out of step. */
  #usedAgain(batch: Batch, record: SessionRecord, message: Uint8Array, replay: unknown): unknown {
    const seen = record.seen ?? NOTHING;
    if (wasSeen(seen, message)) return replay;
    const name = names.session(this.core.seat.id, toHex(record.peer.device));
    batch.set(name, { ...record, seen: note(seen, message) });
    return new OutOfStep(record);
  }

  async #accept(batch: Batch, initial: Initial, hour: number): Promise<Opened | undefined> {
    const { certificate } = initial;
    const peer = toHex(certificate.device);
    const known = await this.core.ledger.session(batch, peer);
    // Whoever signs somebody else's device id under their own name gets neither its handle nor its routes.
    if (known && !equal(known.peer.identity, certificate.identity)) return undefined;
    const { rooms } = this.core.channels;
    const host = address(certificate.onion);
    const wanted = await this.core.reading.sender(certificate, host);
    const isMember = !wanted && (await rooms.knows(certificate.identity));
    const sender = wanted ?? (isMember ? await this.core.reading.sender(certificate, host, true) : undefined);
    if (sender === undefined) return undefined;
    const prekeys = await batch.read<PrekeysRecord>(names.prekeys(this.core.seat.id));
    const keys = await batch.read<KeysRecord>(names.keys(this.core.seat.id));
    const secrets: PrekeySecrets = {
      lasting: keys!.lasting,
      one_time: (id) => prekeys?.secrets.find((secret) => secret.id === id),
    };
    const before = known?.peer ?? null;
    let accepted;
    let replays: KeysRecord["replays"] | undefined;
    try {
      accepted = accept(this.core.own(), initial, secrets, before, this.core.hour(), random);
      if (accepted.mark) replays = [...remember(keys!.replays, accepted.mark, hour)];
    } catch (error) {
      const { code } = error as { code?: string };
      // The prekey is gone: only a new session from here can help, and only somebody known gets one.
      if (known && code === "out_of_step") throw new OutOfStep(known);
      if (known && code === "repeated") throw this.#usedAgain(batch, known, initial.message, error);
      throw error;
    }
    const { conversation } = sender;
    const said = contentOf(accepted.payload, this.core.now());
    const forChannel = isForChannel(said);
    // Keys of strangers are nobody's; and who has only a channel in common with us says nothing else.
    if (forChannel ? !(await rooms.knows(certificate.identity, said.channel)) : !wanted) return undefined;
    // Nobody gets a place in the list before their message was read to its end, and none for a channel's sake.
    if (!forChannel || this.core.chats.get(conversation)) sender.enter(batch);
    if (!known) await this.#makeRoom(batch, conversation);
    if (accepted.one_time_id > 0 && prekeys)
      batch.set(names.prekeys(this.core.seat.id), {
        ...prekeys,
        secrets: prekeys.secrets.filter((secret) => secret.id !== accepted.one_time_id),
      });
    if (replays) batch.set(names.keys(this.core.seat.id), { ...keys!, replays });
    const record: SessionRecord = {
      v: 1,
      peer: accepted.peer,
      conversation,
      handle: known?.handle ?? random(8),
      routes: known?.routes ?? [],
      told: known?.told ?? new Uint8Array(),
      resynced: known?.resynced ?? 0,
      seen: note(known?.seen ?? NOTHING, initial.message),
      tells: known?.tells ?? [],
    };
    batch.set(names.session(this.core.seat.id, peer), record);
    return { record, payload: accepted.payload };
  }

  /** Whoever goes on signing new devices pushes out their own, those not heard of for longest first. */
  async #makeRoom(batch: Batch, conversation: string): Promise<void> {
    const theirs: SessionRecord[] = [];
    for (const peer of this.core.ledger.peers(batch)) {
      const record = await this.core.ledger.session(batch, peer);
      if (record?.conversation === conversation) theirs.push(record);
    }
    for (const { peer, handle } of theirs.slice(0, Math.max(0, theirs.length + 1 - MAX_DEVICES))) {
      batch.set(names.session(this.core.seat.id, toHex(peer.device)), undefined);
      const drop = (): Promise<unknown> => this.core.wire.post("/v1/mailboxes/drop", { handles: [handle] });
      batch.after.push(() => void drop().catch(() => undefined));
    }
  }
}

const NOTHING = new Uint8Array();

function contentOf(payload: Uint8Array, now: number): Content | NewerContent | undefined {
  try {
    return readContent(payload);
  } catch (error) {
    if ((error as { code?: string }).code === "unknown_version")
      return { v: 0, id: random(16), kind: "newer", sent: now };
    return undefined;
  }
}
