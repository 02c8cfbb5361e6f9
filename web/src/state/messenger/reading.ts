/** What a received content does: to the log, to the list of conversations, to what we know of its sender. */
import { equal, toHex } from "../../protocol/bytes.ts";
import type { Certificate } from "../../protocol/certificate.ts";
import type { Content } from "../../protocol/content.ts";
import { address } from "../../protocol/onion.ts";
import { Refusal } from "../api.ts";
import { isForChannel } from "../channels/keys.ts";
import type { Core } from "./core.ts";
import type { Effects } from "./inbound.ts";
import type { Batch } from "./ledger.ts";
import {
  names,
  newTalk,
  type IndexRecord,
  type LogContent,
  type NewerContent,
  type PersonRecord,
  type SessionRecord,
  type TalkRecord,
} from "./records.ts";
import { acknowledged } from "./telling.ts";
import { follows, needsLog, take, wasTaken } from "./unread.ts";

const MAX_REQUESTS = 100;
/** What is acknowledged to the device that said it, since it says it again until then. */
const TOLD = new Set(["routes", "profile", "hello"]);
const MAX_HEARD = 32;
/** Messages of somebody who was not accepted yet; all that a hundred strangers say fits the vault several times. */
const MAX_UNANSWERED = 10;

/** Whose message a first one is; `enter` gives a stranger a place among the requests. */
export interface Sender {
  conversation: string;
  enter(batch: Batch): void;
}

export class Reading {
  constructor(readonly core: Core) {}

  /**
   * The conversation of a certificate's holder; undefined when nothing of them is wanted. A co-member of a channel
   * needs no place among the requests.
   */
  async sender(certificate: Certificate, host: string, isMember = false): Promise<Sender | undefined> {
    const { chats, people } = this.core;
    if (equal(certificate.identity, this.core.identity())) return undefined;
    const known = chats.byIdentity(certificate.identity);
    if (known !== undefined) {
      if (chats.isBlocked(known)) return undefined;
      return { conversation: known, enter: (batch) => this.#newDevice(batch, known, certificate) };
    }
    const named = chats.byAddress(certificate.name, host);
    if (named !== undefined && chats.get(named)?.state !== "request") {
      // Somebody else writes under a name we know: only their directory can say that it is theirs now.
      void people.refresh(named).catch(() => undefined);
      return undefined;
    }
    if (chats.requestCount() >= MAX_REQUESTS && !isMember) return undefined;
    const conversation = toHex(certificate.identity);
    return { conversation, enter: (batch) => this.#enter(batch, conversation, certificate, host) };
  }

  /** Who had only a channel in common with us writes in that session: they get a place among the requests. */
  async #meet(batch: Batch, { conversation, peer }: SessionRecord): Promise<void> {
    const { chats, channels } = this.core;
    const member = chats.get(conversation) ? undefined : channels.rooms.member(peer.identity);
    if (!member || chats.requestCount() >= MAX_REQUESTS) return;
    const host = address(member.onion);
    if (chats.byAddress(member.name, host) === undefined) this.#enter(batch, conversation, member, host);
  }

  #newDevice(batch: Batch, conversation: string, certificate: Certificate): void {
    const person = this.core.people.person(conversation);
    const entry = person && this.core.people.entryOf(person);
    if (!entry || entry.devices.some((device) => equal(device.device, certificate.device))) return;
    // Before the next message to them their entry must be looked at.
    batch.change<PersonRecord>(names.person(conversation), (now) => now && { ...now, checked: 0 });
    batch.after.push(() => void this.core.people.refresh(conversation).catch(() => undefined));
  }

  #enter(
    batch: Batch,
    conversation: string,
    certificate: Pick<Certificate, "name" | "identity">,
    host: string,
  ): void {
    batch.change<TalkRecord>(names.talk(conversation), (now) => now ?? newTalk("request"));
    batch.change<PersonRecord>(
      names.person(conversation),
      (now) =>
        now ?? {
          v: 1,
          name: certificate.name,
          onion: host,
          identity: certificate.identity,
          display: "",
          verified: false,
          entry: new Uint8Array(),
          checked: 0,
          change: null,
        },
    );
    batch.change<IndexRecord>(names.index, (now) => withId(now, conversation));
    this.core.chats.expect(conversation, certificate.identity, certificate.name, host);
    batch.after.push(() => this.core.chats.add(conversation));
  }

  /** Take in what a device of somebody said. */
  async take(
    batch: Batch,
    record: SessionRecord,
    content: Content | NewerContent | undefined,
    effects: Effects,
  ): Promise<void> {
    if (!content) return;
    const { conversation } = record;
    if (isForChannel(content)) {
      const { identity, device } = record.peer;
      const { rooms, keys } = this.core.channels;
      if (!this.core.chats.isBlocked(conversation) && (await rooms.knows(identity, content.channel)))
        keys.take(batch, { identity, device }, content);
      return;
    }
    if (isMessage(content)) await this.#meet(batch, record);
    const talk = await batch.read<TalkRecord>(names.talk(conversation));
    if (!talk || talk.state === "blocked") return;
    const { device } = record.peer;
    if (TOLD.has(content.kind) && talk.state === "contact") {
      const heard = effects.heard.get(toHex(device)) ?? [];
      if (heard.length < MAX_HEARD) effects.heard.set(toHex(device), [...heard, content.id]);
    }
    switch (content.kind) {
      case "routes":
        return this.#session(batch, record, { routes: content.routes });
      case "profile":
        return talk.state === "contact" ? this.core.appearance.take(batch, conversation, content) : undefined;
      case "hello":
        batch.after.push(() => void this.core.routes.tellAnew(device).catch(() => undefined));
        return this.#hello(batch, conversation);
      case "resync":
        return void batch.after.push(() => this.core.resync.answer(conversation, device));
      case "receipt": {
        const targets = this.#heard(batch, record, content.targets);
        if (talk.state !== "contact" || targets.length === 0) return;
        const at = this.core.stamp();
        const event = { k: "r", at, what: content.what, t: targets, dev: device } as const;
        batch.log(conversation, event);
        return this.#absorb(batch, conversation);
      }
      default:
        return this.#said(batch, record, talk, content, effects);
    }
  }

  async #said(
    batch: Batch,
    record: SessionRecord,
    talk: TalkRecord,
    content: LogContent,
    effects: Effects,
  ): Promise<void> {
    const { conversation, peer } = record;
    const now = this.core.stamp();
    const message = isMessage(content);
    // What is no message is not counted, so a stranger could go on with it without end.
    if (talk.state === "request" && (!message || talk.fresh.length >= MAX_UNANSWERED)) return;
    const chat = this.core.chats.get(conversation);
    const id = toHex(content.id);
    if (message && needsLog(talk, content.id, content.sent)) await chat?.history.reach(id);
    const double = (chat?.timeline.has(id) ?? false) || (message && wasTaken(talk, content.id));
    if (message && talk.state === "contact") {
      const list = effects.receipts.get(conversation) ?? [];
      effects.receipts.set(conversation, [...list, content.id]);
    }
    if (chat?.timeline.isLost(toHex(peer.device)))
      batch.log(conversation, { k: "h", at: now, dev: peer.device });
    const entry = chat?.timeline.entries.get(id);
    // Another device of ours may be gone before its chunks come; but what was deleted or disappeared is not kept.
    if (content.kind === "attachment" && !(entry ? entry.removed || entry.deleted : double && content.timer))
      this.core.files.want(content);
    if (double) return;
    batch.log(conversation, { k: "m", at: now, by: 1, c: content, dev: peer.device });
    if (content.kind === "timer") batch.talk(conversation, (one) => ({ ...one, timer: content.seconds }));
    if (content.kind === "delete")
      batch.after.push(() => this.core.chats.scrub(conversation, [content.target]));
    if (message) {
      if (chat) chat.typing = false;
      const line = this.core.chats.line(content, now, false);
      batch.talk(conversation, (one) => {
        // Another device went on without us: the queue is read anew.
        if (!follows(talk, one)) throw new Refusal("vault_conflict", "", 409);
        const last = !one.last || one.last.at <= now ? line : one.last;
        return { ...take(one, content.id, content.sent), last };
      });
    }
    this.#absorb(batch, conversation);
  }

  /** Take from a receipt what the device was told of us; the messages that are left. */
  #heard(batch: Batch, record: SessionRecord, targets: readonly Uint8Array[]): Uint8Array[] {
    const told = new Set((record.tells ?? []).flatMap((tell) => tell.ids.map(toHex)));
    const heard = new Set(targets.map(toHex).filter((id) => told.has(id)));
    if (heard.size > 0) this.#session(batch, record, acknowledged(record, heard));
    return targets.filter((id) => !heard.has(toHex(id)));
  }

  #hello(batch: Batch, conversation: string): void {
    const chat = this.core.chats.get(conversation);
    if (chat?.timeline.hasNotice("accepted") || chat?.state !== "contact") return;
    this.core.chats.notice(batch, conversation, "accepted");
  }

  #session(batch: Batch, record: SessionRecord, change: Partial<SessionRecord>): void {
    const next = { ...record, ...change };
    batch.set(names.session(this.core.seat.id, toHex(record.peer.device)), next);
  }

  /** Show what this batch logs once it counts. */
  #absorb(batch: Batch, conversation: string): void {
    batch.after.push(() => this.core.chats.get(conversation)?.absorb(batch.events.get(conversation) ?? []));
  }
}

function isMessage({ kind }: { kind: string }): boolean {
  return kind === "text" || kind === "attachment" || kind === "newer";
}

/** The index with one more conversation. */
export function withId(index: IndexRecord | undefined, id: string): IndexRecord {
  const ids = index?.ids ?? [];
  return ids.includes(id) && index ? index : { v: 1, ids: [...ids, id] };
}
