/** All conversations of the account, and what changes them as a whole. */
import { equal, toHex } from "../../protocol/bytes.ts";
import type { Content } from "../../protocol/content.ts";
import { readPerson } from "../../protocol/names.ts";
import { Refusal } from "../api.ts";
import { random } from "../random.ts";
import { Chat } from "./chat.svelte.ts";
import type { Core } from "./core.ts";
import type { Batch } from "./ledger.ts";
import { withId } from "./reading.ts";
import {
  names,
  newTalk,
  type IndexRecord,
  type LastLine,
  type LogContent,
  type LogEvent,
  type PersonRecord,
  type SegmentRecord,
  type TalkRecord,
} from "./records.ts";
import { Scrub } from "./scrub.ts";
import type { Conversation, Message } from "./types.ts";
import { lineText } from "./view.ts";

interface Who {
  identity: string;
  name: string;
  host: string;
}

export class Chats {
  all = $state.raw<readonly Chat[]>([]);
  readonly #chats = new Map<string, Chat>();
  /** Also of those not in the vault yet. */
  readonly #who = new Map<string, Who>();
  readonly #scrub: Scrub;

  constructor(readonly core: Core) {
    this.#scrub = new Scrub(core);
  }

  get conversations(): Conversation[] {
    const shown = this.all.filter((chat) => chat.state === "contact" || chat.state === "blocked");
    return [
      ...shown.filter((chat) => chat.state === "contact"),
      ...shown.filter((chat) => chat.state === "blocked"),
    ];
  }

  get requests(): Conversation[] {
    return this.all.filter((chat) => chat.state === "request");
  }

  get(id: string): Chat | undefined {
    return this.#chats.get(id);
  }

  /** Read the list and a line of each conversation. */
  async load(): Promise<void> {
    const [index] = await this.core.vault.read([names.index]);
    const ids = (index as unknown as IndexRecord | undefined)?.ids ?? [];
    const fresh = ids.filter((id) => !this.#chats.has(id));
    await this.core.vault.read(fresh.flatMap((id) => [names.talk(id), names.person(id)]));
    for (const id of fresh) this.add(id);
    const gone = [...this.#chats.keys()].filter((id) => !ids.includes(id));
    for (const id of gone) this.#chats.delete(id);
    this.sort();
  }

  /** Stretches of logs that other devices changed are read again. */
  reread(changed: readonly string[]): void {
    for (const name of changed) {
      const [kind, , conversation] = name.split("/");
      const chat = kind === "log" ? this.get(conversation!) : undefined;
      const record = this.core.vault.peek(name) as unknown as SegmentRecord | undefined;
      if (chat && record) chat.show(record.events);
    }
  }

  /** A conversation that is in the vault now. */
  add(id: string): Chat {
    const known = this.#chats.get(id);
    if (known) {
      known.refresh();
      return known;
    }
    const chat = new Chat(this.core, id);
    this.#chats.set(id, chat);
    const person = this.core.people.person(id);
    if (person) this.expect(id, person.identity, person.name, person.onion);
    this.sort();
    return chat;
  }

  /** Who stands behind a conversation, before it is saved. */
  expect(id: string, identity: Uint8Array, name: string, host: string): void {
    this.#who.set(id, { identity: toHex(identity), name, host });
  }

  sort(): void {
    const all = [...this.#chats.values()].sort((a, b) => b.at - a.at);
    // What shows the list looks at all of it again when it is another one.
    const same = all.length === this.all.length && all.every((chat, place) => chat === this.all[place]);
    if (!same) this.all = all;
  }

  byIdentity(identity: Uint8Array): string | undefined {
    const wanted = toHex(identity);
    for (const [id, who] of this.#who) if (who.identity === wanted) return id;
    return undefined;
  }

  byAddress(name: string, host: string): string | undefined {
    for (const [id, who] of this.#who) if (who.name === name && who.host === host) return id;
    return undefined;
  }

  isBlocked(id: string): boolean {
    return this.get(id)?.state === "blocked";
  }

  requestCount(): number {
    return this.requests.length;
  }

  /** Begin a conversation with somebody who was looked up. */
  async start(address: string): Promise<Chat> {
    const typed = readPerson(address);
    if (!typed) throw new Refusal("bad_address", "", 400);
    const known = this.byAddress(typed.name, typed.host);
    const there = known && this.get(known);
    if (there && there.state === "contact") return there;
    if (there) {
      await this.accept(there.id);
      return there;
    }
    const found = await this.core.people.find(address);
    const identity = found.entry.identity;
    if (equal(identity, this.core.identity())) throw new Refusal("own_card", "", 400);
    if (found.entry.devices.length === 0) throw new Refusal("no_account", "", 404);
    const id = this.byIdentity(identity) ?? toHex(identity);
    await this.core.ledger.run((batch) => {
      batch.change<TalkRecord>(names.talk(id), (now) => now ?? newTalk("contact"));
      batch.change<PersonRecord>(names.person(id), (now) => ({
        v: 1,
        display: "",
        verified: false,
        ...now,
        name: found.name,
        onion: found.host,
        identity,
        entry: found.signed,
        checked: this.core.now(),
        change: null,
      }));
      batch.change<IndexRecord>(names.index, (now) => withId(now, id));
      batch.after.push(() => this.add(id));
    });
    return this.get(id)!;
  }

  /** Answer a request: look them up, and tell them where to write to. */
  async accept(id: string): Promise<void> {
    await this.core.people.refresh(id);
    const chat = this.get(id);
    if (chat?.keyChange) throw new Refusal("key_changed", "", 409);
    await this.core.ledger.run((batch) => {
      batch.talk(id, (talk) => ({ ...talk, state: "contact" }));
      batch.after.push(() => chat?.refresh());
    });
    await this.core.routes.tell(id);
    await this.core.receipts.accepted(id);
  }

  /** Writing to a request is accepting it. */
  answered(id: string): void {
    if (this.get(id)?.state === "request") void this.accept(id).catch(() => undefined);
  }

  async acceptKeyChange(id: string): Promise<void> {
    await this.changePerson(id, (person) =>
      person.change
        ? {
            ...person,
            identity: person.change.identity,
            verified: false,
            entry: new Uint8Array(),
            change: null,
          }
        : person,
    );
    const person = this.core.people.person(id);
    if (person) this.expect(id, person.identity, person.name, person.onion);
    await this.core.people.refresh(id);
  }

  async changePerson(id: string, step: (person: PersonRecord) => PersonRecord): Promise<void> {
    await this.core.ledger.run((batch) => {
      batch.change<PersonRecord>(names.person(id), (now) => now && step(now));
      batch.after.push(() => this.get(id)?.refresh());
    });
  }

  /** One of my contents, sealed and about to leave. */
  said(batch: Batch, id: string, event: LogEvent, content: Content): void {
    batch.log(id, event);
    batch.after.push(() => this.core.unsent.drop(content.id));
    if (content.kind === "attachment") this.core.uploads.note(batch, id, content);
    if (content.kind === "text" || content.kind === "attachment") {
      const line = this.line(content, event.at, true);
      batch.talk(id, (talk) => ({ ...talk, draft: "", last: line }));
    }
    batch.after.push(() => this.get(id)?.absorb(batch.events.get(id) ?? []));
  }

  notice(batch: Batch, id: string, what: string): void {
    batch.log(id, { k: "n", at: this.core.stamp(), id: random(16), what });
    batch.after.push(() => this.get(id)?.absorb(batch.events.get(id) ?? []));
  }

  line(content: LogContent, at: number, mine: boolean): LastLine {
    return { id: content.id, at, mine, kind: content.kind, text: lineText(content) };
  }

  /** The last message as far as the list knows it. */
  lineMessage(line: LastLine): Message {
    return {
      id: toHex(line.id),
      mine: line.mine,
      kind: line.kind === "attachment" ? "attachment" : line.kind === "text" ? "text" : "unknown",
      text: line.text,
      sent: Math.floor(line.at / 1000),
      state: line.mine ? "waiting" : "",
      until: null,
      relays: 0,
      reply: null,
      reactions: [],
      edited: false,
      deleted: false,
      attachment: null,
      timer: 0,
      expires: null,
      unreadable: line.kind === "newer" ? "newer" : null,
      notice: null,
      problem: null,
    };
  }

  /** Seal a content once more, with the same id; for one device only when `only` says so. False: it is gone. */
  async resend(id: string, content: Uint8Array, only?: Uint8Array): Promise<boolean> {
    const chat = this.get(id);
    await chat?.reach(toHex(content));
    const said = chat?.timeline.said(toHex(content));
    if (!said || said.kind === "newer" || said.kind === "gone") return false;
    const targets = await this.core.outbound.targets(id, only);
    await this.core.ledger.run(async (batch) => {
      const dispatch = await this.core.outbound.sealFor(batch, said, targets);
      if (only === undefined) {
        this.core.outbound.note(batch, id, content, dispatch);
        this.said(
          batch,
          id,
          {
            k: "m",
            at: chat!.timeline.at(toHex(content)) ?? this.core.stamp(),
            by: 0,
            c: said,
            d: dispatch.id,
          },
          said,
        );
      }
      this.core.dispatcher.leave(batch, dispatch);
    });
    return true;
  }

  /** Take the text of these messages out of the vault, and their attachments off the box. */
  scrub(id: string, targets: readonly Uint8Array[]): void {
    void this.#scrub.messages(id, targets).catch(() => undefined);
  }

  /** Take out what has disappeared, also what nobody has looked at. */
  sweep(): Promise<void> {
    return this.#scrub.sweep();
  }

  /** A message whose time has come. */
  expired(id: string, entry: { id: string }): void {
    this.#scrub.later(id, entry.id);
  }

  async forget(id: string): Promise<void> {
    await this.core.routes.drop(id);
    await this.#scrub.conversation(id);
    this.#chats.delete(id);
    this.#who.delete(id);
    this.sort();
  }
}
