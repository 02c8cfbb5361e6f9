/** Receipts: "delivered" leaves with the change that saved the message; "read" when a person has seen it. */
import { fromHex, toHex } from "../../protocol/bytes.ts";
import type { Receipt } from "../../protocol/content.ts";
import { random } from "../random.ts";
import type { Core } from "./core.ts";
import { started } from "./expiry.ts";
import type { Effects } from "./inbound.ts";
import type { Batch } from "./ledger.ts";
import { targetOf } from "./routes.ts";
import { timerOf } from "./timeline.ts";
import { read } from "./unread.ts";

/** As many as a small envelope holds. */
const TARGETS = 32;

export class Receipts {
  constructor(readonly core: Core) {}

  /** Seal the receipts of what was read in this step. */
  async seal(batch: Batch, effects: Effects): Promise<void> {
    for (const [conversation, ids] of effects.receipts)
      for (const content of this.#contents("delivered", ids)) {
        const dispatch = await this.core.outbound.sealKnown(batch, conversation, content);
        if (dispatch) this.core.dispatcher.leave(batch, dispatch);
      }
    for (const [peer, ids] of effects.heard) {
      const record = await this.core.ledger.session(batch, peer);
      // Who has nowhere to be answered will tell it again.
      for (const content of record ? this.#contents("delivered", ids) : []) {
        const sealed = this.core.outbound.sealFor(batch, content, [targetOf(record!)]);
        const dispatch = await sealed.catch(() => undefined);
        if (dispatch) this.core.dispatcher.leave(batch, dispatch);
      }
    }
  }

  /** Somebody was accepted: tell what arrived, and what was read, before that. */
  async accepted(conversation: string): Promise<void> {
    const chat = this.core.chats.get(conversation);
    if (!chat) return;
    const fresh = new Set(chat.fresh.map(toHex));
    const theirs = [...chat.timeline.entries.values()].filter((one) => one.by === 1 && one.content);
    const seen = theirs.map((one) => one.id).filter((id) => !fresh.has(id));
    const told = this.core.account().settings.readReceipts ? "read" : "delivered";
    await this.core.ledger.run(async (batch) => {
      for (const content of [
        ...this.#contents("delivered", [...fresh].map(fromHex)),
        ...this.#contents(told, seen.map(fromHex)),
      ]) {
        const dispatch = await this.core.outbound.sealKnown(batch, conversation, content);
        if (dispatch) this.core.dispatcher.leave(batch, dispatch);
      }
    });
  }

  /** A person has seen everything up to now. */
  async markRead(conversation: string): Promise<void> {
    const chat = this.core.chats.get(conversation);
    if (!chat || chat.fresh.length === 0) return;
    const ids = chat.fresh;
    await this.core.ledger.run(async (batch) => {
      const now = this.core.stamp();
      batch.talk(conversation, (talk) => read(talk, ids));
      const timed = ids.filter((id) => timerOf(chat.timeline.entries.get(toHex(id)) ?? NONE) > 0);
      if (timed.length > 0) {
        const lives = timed.map((id) => timerOf(chat.timeline.entries.get(toHex(id)) ?? NONE));
        batch.talk(conversation, (talk) => started(talk, lives, Math.floor(now / 1000)));
        batch.log(conversation, { k: "s", at: now, t: timed });
      }
      batch.after.push(() => chat.absorb(batch.events.get(conversation) ?? []));
      if (chat.state !== "contact" || !this.core.account().settings.readReceipts) return;
      for (const content of this.#contents("read", ids)) {
        const dispatch = await this.core.outbound.sealKnown(batch, conversation, content);
        if (dispatch) this.core.dispatcher.leave(batch, dispatch);
      }
    });
  }

  #contents(what: "delivered" | "read", ids: readonly Uint8Array[]): Receipt[] {
    const contents: Receipt[] = [];
    for (let at = 0; at < ids.length; at += TARGETS) {
      const targets = ids.slice(at, at + TARGETS);
      contents.push({ v: 1, id: random(16), kind: "receipt", sent: this.core.now(), what, targets });
    }
    return contents;
  }
}

const NONE = { content: null } as never;
