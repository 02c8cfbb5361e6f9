/** Where our mail is to be left: mailboxes for each device of others, and telling those until they know. */
import { equal, toHex } from "../../protocol/bytes.ts";
import { encode } from "../../protocol/cbor.ts";
import type { Content } from "../../protocol/content.ts";
import { hash } from "../../protocol/keys.ts";
import { hasSession } from "../../protocol/peer.ts";
import type { AllRoutes, Dispatch } from "../../protocol/post.ts";
import type { Route } from "../../protocol/route.ts";
import { random } from "../random.ts";
import type { Core } from "./core.ts";
import type { Batch } from "./ledger.ts";
import type { Target } from "./outbound.ts";
import type { Shown } from "./appearance.svelte.ts";
import { names, type SessionRecord, type Tell } from "./records.ts";
import * as telling from "./telling.ts";

export const REQUESTS = new Uint8Array(8);
const AT_ONCE = 256;
const NOTHING = new Uint8Array();
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

  /** Tell one device what it does not know: where we want its mail, our profile, that it was accepted. */
  async #tell(record: SessionRecord, routes: Route[]): Promise<void> {
    const digest = hash(encode([routes, ...this.core.appearance.marks()])).slice(0, 8);
    if (this.#wanting(record, digest).length === 0) return;
    const peer = toHex(record.peer.device);
    const shown = await this.core.appearance.shown();
    await this.core.ledger.run(async (batch) => {
      const now = await this.core.ledger.session(batch, peer);
      if (!now || now.routes.length === 0) return;
      for (const what of this.#wanting(now, digest)) {
        const news = what === "routes" ? this.#news(routes, shown) : [this.#hello()];
        const sealed: Dispatch[] = [];
        for (const one of news) sealed.push(await this.core.outbound.sealFor(batch, one, [targetOf(now)]));
        await this.#told(batch, peer, what, what === "routes" ? digest : NOTHING, news, sealed);
        for (const one of sealed) this.core.dispatcher.leave(batch, one);
      }
    });
  }

  /** What a device does not know, and was not told lately. */
  #wanting(record: SessionRecord, digest: Uint8Array): Tell["what"][] {
    const { dispatcher } = this.core;
    const isDue = (tell: Tell): boolean =>
      dispatcher.looked && telling.isDue(tell, this.core.now(), (id) => dispatcher.isUnderway(id));
    const routes = telling.find(record, "routes");
    const hello = telling.find(record, "hello");
    const wanting: Tell["what"][] = [];
    if (!equal(record.told, digest) && (!routes || !equal(routes.digest, digest) || isDue(routes)))
      wanting.push("routes");
    if (hello && isDue(hello)) wanting.push("hello");
    return wanting;
  }

  #news(routes: Route[], shown: Shown): Content[] {
    const sent = this.core.now();
    return [
      { v: 1, id: random(16), kind: "routes", sent, routes },
      // Also when it says nothing: what it said before is taken away by that.
      { v: 1, id: random(16), kind: "profile", sent, ...shown },
    ];
  }

  #hello(): Content {
    return { v: 1, id: random(16), kind: "hello", sent: this.core.now() };
  }

  async #told(
    batch: Batch,
    peer: string,
    what: Tell["what"],
    digest: Uint8Array,
    news: readonly Content[],
    sealed: readonly Dispatch[],
  ): Promise<void> {
    const record = await this.core.ledger.session(batch, peer);
    if (!record) return;
    const ids = news.map((one) => one.id);
    const tell = { what, digest, ids, dispatches: sealed.map((one) => one.id), at: this.core.now() };
    batch.set(names.session(this.core.seat.id, peer), telling.told(record, tell));
  }

  /** Say hello to every device of somebody: their request is accepted, this begins sessions. */
  async tell(conversation: string): Promise<void> {
    const targets = await this.core.outbound.targets(conversation);
    await this.core.ledger.run(async (batch) => {
      const hello = this.#hello();
      const dispatch = await this.core.outbound.sealFor(batch, hello, targets);
      for (const { device } of targets)
        await this.#told(batch, toHex(device.device), "hello", NOTHING, [hello], [dispatch]);
      this.core.dispatcher.leave(batch, dispatch);
    });
    this.look();
  }

  /** A device may know nothing of us any more: tell it all again. */
  async tellAnew(device: Uint8Array): Promise<void> {
    await this.#change(device, telling.forgotten);
    this.look();
  }

  /** A device could not be told, since its mailbox is gone: look for another one. */
  async bounced(dispatch: string, peer: Uint8Array): Promise<void> {
    const [value] = await this.core.vault.read([names.session(this.core.seat.id, toHex(peer))]);
    const record = value as unknown as SessionRecord | undefined;
    if (!record?.tells?.some((tell) => tell.dispatches.some((one) => toHex(one) === dispatch))) return;
    await this.core.people.refresh(record.conversation);
    const bundle = this.core.people.bundle(peer);
    if (!bundle) return;
    await this.#change(peer, (now) => telling.bounced({ ...now, routes: [...bundle.routes] }));
    this.look();
  }

  async #change(device: Uint8Array, change: (record: SessionRecord) => SessionRecord): Promise<void> {
    const peer = toHex(device);
    await this.core.ledger.run(async (batch) => {
      const record = await this.core.ledger.session(batch, peer);
      if (record) batch.set(names.session(this.core.seat.id, peer), change(record));
    });
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
        if (record) batch.set(names.session(this.core.seat.id, id), { ...record, told: NOTHING, tells: [] });
      }
    });
  }
}

/** The device of a session as something can be sealed for it, nothing looked up. */
export function targetOf({ peer }: SessionRecord): Target {
  return { device: { ...peer, signing: peer.agreement, added_hour: 0 }, identity: peer.identity };
}
