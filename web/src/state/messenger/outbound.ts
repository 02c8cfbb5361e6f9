/**
 * Messages on their way out: sealed for every device of the other side, saved, and only then handed to the box.
 * What was saved and perhaps not handed over is found again at the next start and sent anew with the same
 * content id, which the other side counts once.
 */
import { equal, toHex } from "../../protocol/bytes.ts";
import { readPerson } from "../../protocol/names.ts";
import { makeCertificate } from "../../protocol/certificate.ts";
import { sizeOf, writeContent, type Content } from "../../protocol/content.ts";
import type { Bundle, Device, OneTimePrekey } from "../../protocol/directory.ts";
import { begin, hasSession, makePeer, prepare, seal } from "../../protocol/peer.ts";
import type { Destination, Dispatch } from "../../protocol/post.ts";
import { Refusal } from "../api.ts";
import { random } from "../random.ts";
import { Displaced } from "../vault/vault.ts";
import { asRefusal, isOffline } from "../wire.ts";
import type { Core } from "./core.ts";
import type { Batch } from "./ledger.ts";
import { names, type LogEvent, type OutgoingRecord, type SessionRecord } from "./records.ts";

/** A device to write to: what is needed when there is no session yet. */
export interface Target {
  device: Device;
  identity: Uint8Array;
  bundle?: Bundle;
  oneTime?: OneTimePrekey | null;
  /** Of a channel: there need be no conversation. */
  member?: boolean;
}

interface Pending {
  content: Content;
  event: LogEvent;
  /** Shows it and keeps it in this browser, the first time it is called. */
  tell: () => void;
  done: () => void;
  failed: (error: unknown) => void;
}

const CERTIFICATE_HOURS = 168;
const RENEW_AFTER = 24;
/** Milliseconds for which what is shown and kept waits for what leaves. */
const LEAVES_FIRST = 50;
/** Contents that go into one change of the vault. */
const AT_ONCE = 16;

export class Outbound {
  #certificate: { bytes: Uint8Array; hour: number } | undefined;
  #pending = new Map<string, Pending[]>();
  #running = new Set<string>();

  constructor(readonly core: Core) {}

  /** Send a content; resolves when it is in the vault. Shown, and kept in this browser, as it leaves. */
  send(conversation: string, content: Content, at = this.core.stamp()): Promise<void> {
    const event: LogEvent = { k: "m", at, by: 0, c: content };
    const tell = this.#aside(() => {
      this.core.unsent.keep(conversation, event);
      this.core.chats.get(conversation)?.showSoon([event]);
    });
    return new Promise((done, failed) => {
      const list = this.#pending.get(conversation) ?? [];
      list.push({ content, event, tell, done, failed });
      this.#pending.set(conversation, list);
      void this.#drain(conversation);
    });
  }

  /**
   * Once, when it is called or a moment later. While the browser seals, the page could draw: what leaves would wait
   * for the picture.
   */
  #aside(run: () => void): () => void {
    let over = false;
    const once = (): void => {
      clearTimeout(timer);
      if (!over) run();
      over = true;
    };
    const timer = setTimeout(once, LEAVES_FIRST);
    return once;
  }

  async #drain(conversation: string): Promise<void> {
    if (this.#running.has(conversation)) return;
    this.#running.add(conversation);
    try {
      for (let list = this.#pending.get(conversation); list?.length;) {
        const some = list.splice(0, AT_ONCE);
        try {
          await this.#sendSome(conversation, some);
          for (const one of some) one.done();
        } catch (error) {
          this.#fail(conversation, some, error);
        }
      }
    } finally {
      this.#running.delete(conversation);
    }
  }

  #fail(conversation: string, some: Pending[], error: unknown): void {
    for (const one of some) one.tell();
    const refusal = asRefusal(error);
    const later = isOffline(error) || error instanceof Displaced || this.core.closed;
    if (!later) for (const one of some) this.core.unsent.drop(one.content.id);
    const at = this.core.stamp();
    const events = some.map((one): LogEvent => ({
      k: "f",
      at,
      id: (one.content as { id: Uint8Array }).id,
      code: refusal.code,
    }));
    this.core.chats.get(conversation)?.show(events);
    for (const one of some) one.failed(refusal);
  }

  async #sendSome(conversation: string, some: Pending[]): Promise<void> {
    await this.core.ledger.begun;
    const targets = await this.targets(conversation);
    await this.core.ledger.run(async (batch) => {
      for (const { content, event, tell } of some) {
        batch.underway.push(tell);
        const dispatch = await this.sealFor(batch, content, targets);
        this.core.dispatcher.leave(batch, dispatch);
        this.core.chats.said(batch, conversation, { ...event, d: dispatch.id } as LogEvent, content);
        this.note(batch, conversation, content.id, dispatch);
      }
    });
  }

  /** Make ahead what the next message to this conversation takes, while it is written. */
  prepare(conversation: string): void {
    const { people, vault, ledger } = this.core;
    const person = people.person(conversation);
    for (const { device } of (person && people.entryOf(person)?.devices) ?? []) {
      const name = names.session(ledger.device, toHex(device));
      const record = vault.peek(name) as unknown as SessionRecord | undefined;
      if (record) prepare(record.peer);
    }
  }

  /** Remember, until the box has it, that a content is to leave with this dispatch. */
  note(batch: Batch, conversation: string, id: Uint8Array, dispatch: Dispatch): void {
    const entry = { id, conversation, dispatch: dispatch.id, hour: this.core.hour() };
    batch.change<OutgoingRecord>(names.outgoing(this.core.seat.id), (now) => ({
      v: 1,
      entries: [...(now?.entries ?? []).filter((one) => !equal(one.id, id)), entry],
    }));
  }

  /** The devices of the other side, with prekeys for those that have no session yet. */
  async targets(conversation: string, only?: Uint8Array, renew = false): Promise<Target[]> {
    const { people } = this.core;
    const person = people.person(conversation);
    if (!person) throw new Refusal("no_contact", "", 404);
    if (person.change) throw new Refusal("key_changed", "", 409);
    let entry = people.entryOf(person);
    const devices = (): Device[] =>
      entry?.devices.filter((device) => !only || equal(only, device.device)) ?? [];
    const address = `${person.name}@${person.onion}`;
    const missing = async (): Promise<Device[]> => {
      const without: Device[] = [];
      for (const device of devices()) if (renew || !(await this.#reaches(device))) without.push(device);
      return without;
    };
    if (
      person.checked === 0 ||
      !entry ||
      (await missing()).some((device) => !people.bundle(device.device)) ||
      renew
    )
      entry = await people.refresh(conversation);
    else if (!people.isFresh(person)) void people.refresh(conversation).catch(() => undefined);
    if (people.person(conversation)?.change) throw new Refusal("key_changed", "", 409);
    const lacking = (await missing()).filter((device) => people.bundle(device.device));
    const fresh: Device[] = [];
    for (const device of lacking) if (renew || !(await this.#session(device))) fresh.push(device);
    const prekeys =
      fresh.length > 0 ? await people.take(address, fresh) : new Map<string, OneTimePrekey | null>();
    const identity = person.identity;
    return devices().map((device): Target => {
      const target: Target = { device, identity };
      if (lacking.includes(device)) target.bundle = people.bundle(device.device)!;
      if (fresh.includes(device)) target.oneTime = prekeys.get(toHex(device.device)) ?? null;
      return target;
    });
  }

  /** The session record with a device, if it can be used. */
  async #session(device: Device): Promise<SessionRecord | undefined> {
    const [value] = await this.core.vault.read([names.session(this.core.seat.id, toHex(device.device))]);
    const record = value as unknown as SessionRecord | undefined;
    const good = record && hasSession(record.peer) && equal(record.peer.agreement, device.agreement);
    return good ? record : undefined;
  }

  /** Whether nothing need be looked up to write to this device. */
  async #reaches(device: Device): Promise<boolean> {
    return ((await this.#session(device))?.routes.length ?? 0) > 0;
  }

  /** Seal a content for these devices; their new states are in the batch. Refusal unreachable when none is there. */
  async sealFor(batch: Batch, content: Content, targets: Target[], fresh = false): Promise<Dispatch> {
    const payload = writeContent(content);
    const envelopes: Uint8Array[] = [];
    const to: Destination[] = [];
    for (const target of targets) {
      const record = await this.#ready(batch, target, fresh);
      if (!record || record.routes.length === 0) continue;
      const sealed = seal(record.peer, this.#certificateNow(), payload, sizeOf(content), random);
      batch.set(names.session(this.core.seat.id, toHex(target.device.device)), {
        ...record,
        peer: sealed.peer,
      });
      to.push({ handle: record.handle, routes: record.routes, envelopes: [envelopes.length] });
      envelopes.push(sealed.envelope);
    }
    if (envelopes.length === 0) throw new Refusal("no_route", "", 409);
    return { id: random(16), envelopes, to };
  }

  /** The session record of a target, begun anew where needed; undefined when that is not possible. */
  async #ready(batch: Batch, target: Target, fresh: boolean): Promise<SessionRecord | undefined> {
    const { device, identity, bundle } = target;
    let record = await this.core.ledger.session(batch, toHex(device.device));
    if (!record || !equal(record.peer.agreement, device.agreement)) {
      const known = this.core.chats.byIdentity(identity);
      if (known === undefined && !target.member) return undefined;
      const conversation = known ?? toHex(identity);
      record = {
        v: 1,
        peer: makePeer(identity, device),
        conversation,
        handle: record?.handle ?? random(8),
        routes: [],
        told: new Uint8Array(),
        resynced: 0,
      };
    }
    if (bundle && record.routes.length === 0) record = { ...record, routes: bundle.routes };
    if (bundle && (fresh || !hasSession(record.peer))) {
      const own = this.core.own();
      const peer = begin(record.peer, own, bundle, target.oneTime ?? null, this.core.hour(), random);
      record = { ...record, peer };
      batch.after.push(() => this.core.routes.look());
    }
    return hasSession(record.peer) ? record : undefined;
  }

  /** The same for devices that have a session already, nothing looked up: receipts. */
  async sealKnown(batch: Batch, conversation: string, content: Content): Promise<Dispatch | undefined> {
    const { people } = this.core;
    const person = people.person(conversation);
    if (!person || person.change) return undefined;
    const targets: Target[] = [];
    const entry = people.entryOf(person);
    for (const peer of this.core.ledger.peers(batch)) {
      const record = await this.core.ledger.session(batch, peer);
      if (record?.conversation !== conversation || !hasSession(record.peer)) continue;
      const listed = entry?.devices.find((device) => equal(device.device, record.peer.device));
      if (entry && !listed && people.isFresh(person)) continue;
      const { agreement, identity } = record.peer;
      const device: Device = listed ?? {
        device: record.peer.device,
        signing: agreement,
        agreement,
        added_hour: 0,
      };
      targets.push({ device, identity });
    }
    if (targets.length === 0) return undefined;
    return this.sealFor(batch, content, targets).catch(() => undefined);
  }

  #certificateNow(): Uint8Array {
    const hour = this.core.hour();
    if (this.#certificate && hour < this.#certificate.hour + RENEW_AFTER) return this.#certificate.bytes;
    const account = this.core.account();
    const own = this.core.own();
    const bytes = makeCertificate(account.seed, {
      name: account.name,
      onion: readPerson(`${account.name}@${account.onion}`)!.onion,
      device: own.device,
      agreement: this.core.seatRow().agreement,
      issued_hour: hour,
      expires_hour: hour + CERTIFICATE_HOURS,
    });
    this.#certificate = { bytes, hour };
    return bytes;
  }
}
