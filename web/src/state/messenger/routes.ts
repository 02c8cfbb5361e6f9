/** Where our mail is to be left: mailboxes for each correspondent's device, and telling those devices of them. */
import { equal, toHex } from "../../protocol/bytes.ts";
import { encode } from "../../protocol/cbor.ts";
import type { Content } from "../../protocol/content.ts";
import { hash } from "../../protocol/keys.ts";
import { hasSession } from "../../protocol/peer.ts";
import type { AllRoutes, Dispatch } from "../../protocol/post.ts";
import type { Route } from "../../protocol/route.ts";
import { random } from "../random.ts";
import type { Core } from "./core.ts";
import { names, type SessionRecord } from "./records.ts";

export const REQUESTS = new Uint8Array(8);
const AT_ONCE = 256;
/** Milliseconds in which several reasons to look become one. */
const TOGETHER = 150;

export class Routes {
  /** Routes of the request mailbox. */
  requests: readonly Route[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> | undefined;
  #again = false;

  constructor(readonly core: Core) {}

  /** Look soon whether every correspondent knows where to write to. */
  look(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.settle().catch(() => undefined);
    }, TOGETHER);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** The same, waiting for it. */
  settle(): Promise<void> {
    if (this.#running) {
      this.#again = true;
      return this.#running;
    }
    this.#running = (async () => {
      do {
        this.#again = false;
        await this.#settle();
      } while (this.#again && !this.core.closed);
    })().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #settle(): Promise<void> {
    const records = await this.#sessions();
    const wanted = records.filter((record) => this.core.chats.get(record.conversation)?.state === "contact");
    const routes = await this.#mailboxes([REQUESTS, ...wanted.map((record) => record.handle)]);
    this.requests = routes.get(toHex(REQUESTS)) ?? [];
    for (const record of wanted) {
      const own = routes.get(toHex(record.handle)) ?? [];
      if (own.length > 0) await this.#tell(record, own);
    }
  }

  async #sessions(): Promise<SessionRecord[]> {
    const marks = this.core.ledger.head.sessions;
    await this.core.vault.read(marks.map((mark) => names.session(this.core.seat.id, toHex(mark.peer))));
    return this.core.ledger.run(async (batch) => {
      const records: SessionRecord[] = [];
      for (const peer of this.core.ledger.peers(batch)) {
        const record = await this.core.ledger.session(batch, peer);
        if (record && hasSession(record.peer)) records.push(record);
      }
      return records;
    });
  }

  async #mailboxes(handles: Uint8Array[]): Promise<Map<string, Route[]>> {
    const routes = new Map<string, Route[]>();
    for (let at = 0; at < handles.length; at += AT_ONCE) {
      const some = handles.slice(at, at + AT_ONCE);
      const answer = await this.core.wire.post<AllRoutes>("/v1/mailboxes/mine", { handles: some });
      for (const one of answer.mailboxes) routes.set(toHex(one.handle), one.routes);
    }
    return routes;
  }

  /** Tell one device where we want its mail and what we call ourselves, if it does not know that already. */
  async #tell(record: SessionRecord, routes: Route[]): Promise<void> {
    const { display } = this.core.account();
    const told = hash(encode([routes, display])).slice(0, 8);
    if (equal(told, record.told)) return;
    const sent = this.core.now();
    const contents: Content[] = [{ v: 1, id: random(16), kind: "routes", sent, routes }];
    if (display !== "") contents.push({ v: 1, id: random(16), kind: "profile", sent, display });
    const peer = toHex(record.peer.device);
    const dispatches = await this.core.ledger.run(async (batch) => {
      const now = await this.core.ledger.session(batch, peer);
      if (!now || now.routes.length === 0) return [];
      const device = { ...now.peer, signing: now.peer.agreement, added_hour: 0 };
      const target = { device, identity: now.peer.identity };
      const made: Dispatch[] = [];
      for (const content of contents) made.push(await this.core.outbound.sealFor(batch, content, [target]));
      const after = await this.core.ledger.session(batch, peer);
      batch.set(names.session(this.core.seat.id, peer), { ...after!, told });
      return made;
    });
    for (const dispatch of dispatches) this.core.dispatcher.send(dispatch);
  }

  /** Say hello to every device of somebody: their request is accepted, this begins sessions. */
  async tell(conversation: string): Promise<void> {
    const targets = await this.core.outbound.targets(conversation);
    const dispatch = await this.core.ledger.run((batch) => {
      const content: Content = { v: 1, id: random(16), kind: "hello", sent: this.core.now() };
      return this.core.outbound.sealFor(batch, content, targets);
    });
    this.core.dispatcher.send(dispatch);
    this.look();
  }

  /** Give up the mailboxes of somebody blocked or forgotten. */
  async drop(conversation: string): Promise<void> {
    const records = await this.#sessions();
    const theirs = records.filter((record) => record.conversation === conversation);
    if (theirs.length === 0) return;
    await this.core.wire.post("/v1/mailboxes/drop", { handles: theirs.map((record) => record.handle) });
    await this.core.ledger.run(async (batch) => {
      for (const { peer } of theirs) {
        const id = toHex(peer.device);
        const record = await this.core.ledger.session(batch, id);
        if (record) batch.set(names.session(this.core.seat.id, id), { ...record, told: new Uint8Array() });
      }
    });
  }
}
