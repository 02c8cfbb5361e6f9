/** Passing signals: somebody types, somebody is here. Lost ones are not missed. */
import { equal, toHex } from "../../protocol/bytes.ts";
import { hasSession } from "../../protocol/peer.ts";
import { openSignal, sealSignal } from "../../protocol/signals.ts";
import { random } from "../random.ts";
import type { Core } from "./core.ts";

/** Milliseconds after which "typing" is said again, and after which a heard one is over. */
const AGAIN = 5_000;
const OVER = 12_000;

export class Signals {
  #said = new Map<string, number>();
  #heard = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(readonly core: Core) {}

  /** The person types, or stopped to. */
  typing(conversation: string, typing: boolean): void {
    const before = this.#said.get(conversation) ?? 0;
    const now = Date.now();
    if (typing ? now - before < AGAIN : before === 0) return;
    this.#said.set(conversation, typing ? now : 0);
    const chat = this.core.chats.get(conversation);
    if (chat?.state !== "contact" || !this.core.account().settings.typing) return;
    void this.#send(conversation, typing ? "typing" : "stopped").catch(() => undefined);
  }

  /** A message leaves: it says by itself that nobody types it any more. */
  spoke(conversation: string): void {
    this.#said.delete(conversation);
  }

  async #send(conversation: string, kind: "typing" | "stopped"): Promise<void> {
    const signals = await this.core.ledger.run(async (batch) => {
      const made = [];
      for (const peer of this.core.ledger.peers(batch)) {
        const record = await this.core.ledger.session(batch, peer);
        if (record?.conversation !== conversation || !hasSession(record.peer)) continue;
        if (record.routes.length === 0 || record.peer.sessions[0]!.initiation) continue;
        const envelope = sealSignal(record.peer, { kind, sent: this.core.now() }, random);
        made.push({ routes: record.routes, envelope });
      }
      return made;
    });
    for (const signal of signals) await this.core.wire.post("/v1/signals", signal);
  }

  /** A signal came. */
  async heard(handle: Uint8Array, envelope: Uint8Array): Promise<void> {
    const marks = this.core.ledger.head.sessions;
    const own = marks.filter((one) => equal(one.handle, handle));
    const found = await this.core.ledger.run(async (batch) => {
      // One that does not know its own mailbox yet writes to that for requests.
      for (const mark of own.length > 0 ? own : marks) {
        const record = await this.core.ledger.session(batch, toHex(mark.peer));
        const sign = record && openSignal(record.peer, envelope, this.core.now());
        if (record && sign) return { record, sign };
      }
      return undefined;
    });
    const chat = found && this.core.chats.get(found.record.conversation);
    if (!found || !chat || chat.state !== "contact") return;
    const { sign } = found;
    clearTimeout(this.#heard.get(chat.id));
    chat.typing = sign.kind === "typing";
    chat.hereNow = true;
    const over = (): void => {
      chat.typing = false;
      chat.hereNow = false;
    };
    this.#heard.set(chat.id, setTimeout(over, OVER));
  }

  /** A message came: nobody is typing it any more. */
  stop(): void {
    for (const timer of this.#heard.values()) clearTimeout(timer);
  }
}
