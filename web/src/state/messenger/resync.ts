/** When two devices are out of step: a new session, and what was not received is sent again. */
import { fromHex, toHex } from "../../protocol/bytes.ts";
import type { Content } from "../../protocol/content.ts";
import { random } from "../random.ts";
import type { Core } from "./core.ts";
import { names } from "./records.ts";

/** Seconds between two new sessions with one device. */
const PAUSE = 3600;
const MAX_AGAIN = 20;
const MAX_AGE = 24 * 3600;

export class Resync {
  #running = new Set<string>();
  /** When a device was last answered, in seconds. */
  #answered = new Map<string, number>();

  constructor(readonly core: Core) {}

  /** Something of this device could not be read: begin a new session and ask for it again. */
  begin(conversation: string, peer: Uint8Array): void {
    const id = toHex(peer);
    if (this.#running.has(id)) return;
    this.#running.add(id);
    void this.#begin(conversation, peer)
      .catch(() => undefined)
      .finally(() => this.#running.delete(id));
  }

  async #begin(conversation: string, peer: Uint8Array): Promise<void> {
    const name = names.session(this.core.seat.id, toHex(peer));
    if (!(await this.#mayAsk(name))) return;
    const targets = await this.core.outbound.targets(conversation, peer, true);
    if (targets.length === 0) return;
    await this.core.ledger.run(async (batch) => {
      const record = await this.core.ledger.session(batch, toHex(peer));
      const now = this.core.now();
      if (record && now - record.resynced < PAUSE) return;
      if (record) batch.set(name, { ...record, resynced: now });
      const content: Content = { v: 1, id: random(16), kind: "resync", sent: now };
      const dispatch = await this.core.outbound.sealFor(batch, content, targets, true);
      this.core.dispatcher.leave(batch, dispatch);
    });
  }

  async #mayAsk(name: string): Promise<boolean> {
    const [record] = await this.core.vault.read([name]);
    const resynced = (record as { resynced?: number } | undefined)?.resynced ?? 0;
    return this.core.now() - resynced >= PAUSE;
  }

  /** The other side asks: send again what this device of theirs has no receipt for. */
  answer(conversation: string, peer: Uint8Array): void {
    void this.#answer(conversation, peer).catch(() => undefined);
  }

  async #answer(conversation: string, peer: Uint8Array): Promise<void> {
    const chat = this.core.chats.get(conversation);
    if (!chat || chat.state === "blocked") return;
    const device = toHex(peer);
    // An honest device asks once an hour; each answer is up to twenty messages.
    if (this.core.now() - (this.#answered.get(device) ?? 0) < PAUSE / 2) return;
    this.#answered.set(device, this.core.now());
    await this.core.routes.tellAnew(peer);
    await chat.history.begin();
    const since = (this.core.now() - MAX_AGE) * 1000;
    const missing = chat.timeline
      .shown(since)
      .filter((entry) => entry.by === 0 && entry.content && !entry.delivered.has(device) && !entry.deleted)
      .slice(-MAX_AGAIN);
    for (const entry of missing) await this.core.chats.resend(conversation, fromHex(entry.id), peer);
  }
}
