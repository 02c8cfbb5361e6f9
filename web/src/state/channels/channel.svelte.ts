/** One channel: what the pages see, and what they may do. */
import { fromHex } from "../../protocol/bytes.ts";
import type * as wire from "../../protocol/channel.ts";
import type { ChannelContent } from "../../protocol/channelContent.ts";
import { MAX_PAGE } from "../../protocol/log.ts";
import type { NewReport, Why } from "../../protocol/moderation.ts";
import type { Role } from "../../protocol/roster.ts";
import { Refusal } from "../api.ts";
import { plain } from "../messenger/plain.ts";
import { random } from "../random.ts";
import type { Room } from "./rooms.ts";
import { ShownChannel } from "./shown.svelte.ts";
import type { Row } from "./timeline.ts";
import type { Channel, ChannelMessage } from "./types.ts";

const DRAFT_PAUSE = 2_000;
const MOST_EVIDENCE = 4_000;
/** Entries a search goes back. */
const MOST_SEARCHED = 20_000;

type Loose = ChannelContent extends infer C ? (C extends ChannelContent ? Omit<C, "v" | "id" | "sent"> : never) : never; // prettier-ignore

export class ChannelView extends ShownChannel implements Channel {
  #drafting: ReturnType<typeof setTimeout> | undefined;

  async search(text: string, limit = 100): Promise<ChannelMessage[]> {
    const wanted = plain(text);
    if (wanted === "") return [];
    const begin = this.reader.low;
    for (;;) {
      const found = this.all().filter((one) =>
        plain(`${one.text} ${one.attachment?.name ?? ""}`).includes(wanted),
      );
      const enough = found.length >= limit || begin - this.reader.low > MOST_SEARCHED;
      if (enough || !this.reader.more || !this.reader.begun) return found.reverse().slice(0, limit);
      await this.asked(() => this.reader.older(MAX_PAGE));
    }
  }

  mute(muted: boolean): Promise<void> {
    return this.desk.mute(this.id, muted);
  }

  saveDraft(text: string): void {
    this.draft = text;
    clearTimeout(this.#drafting);
    this.#drafting = setTimeout(() => this.desk.keepDraft(this.id, text), DRAFT_PAUSE);
  }

  override stop(): void {
    clearTimeout(this.#drafting);
    super.stop();
  }

  // Saying

  send(text: string, reply?: string): Promise<void> {
    return this.#say({ kind: "text", text, ...(reply ? { reply: fromHex(reply) } : {}) });
  }

  edit(id: string, text: string): Promise<void> {
    return this.asked(async () => {
      if (!this.findMessage(id).mine) throw new Refusal("wrong_state", "", 409);
      await this.#say({ kind: "edit", target: fromHex(id), text });
    });
  }

  remove(id: string): Promise<void> {
    return this.asked(async () => {
      const message = this.findMessage(id);
      if (message.state === "failed") return this.drop(id);
      const entry = this.reader.timeline.find(id)!;
      if (message.mine) await this.#say({ kind: "delete", target: fromHex(id) });
      // What it said goes from the box as well; an entry of the log says to others that it is gone.
      for (const { number } of this.reader.timeline.standing(entry)) {
        const body: wire.TakeDown = { channel: this.seen.id, number };
        await this.desk.core.wire.post("/v1/channels/take-down", body);
      }
      await this.reader.newer(true);
    });
  }

  react(id: string, emoji: string): Promise<void> {
    return this.#say({ kind: "reaction", target: fromHex(id), emoji });
  }

  pin(id: string, on: boolean): Promise<void> {
    return this.#say({ kind: "pin", target: fromHex(id), on });
  }

  retry(id: string): Promise<void> {
    const row = this.#take(id);
    return row?.said ? this.asked(() => this.outbox.say(row.said!)) : Promise.resolve();
  }

  drop(id: string): Promise<void> {
    this.#take(id);
    return Promise.resolve();
  }

  #take(id: string): Row | undefined {
    const entry = this.reader.timeline.find(id);
    return entry && this.outbox.take(entry.row.number);
  }

  #say(content: Loose): Promise<void> {
    return this.asked(async () => {
      if (this.alarm) throw new Refusal("bad_roster", "", 400);
      if (this.closed) throw new Refusal("channel_closed", "", 409);
      const whole = { v: 1, id: random(16), sent: this.desk.core.now(), ...content } as ChannelContent;
      await this.outbox.say(whole);
    });
  }

  async report(id: string, why: Why, words: string): Promise<void> {
    await this.asked(async () => {
      const { text } = this.findMessage(id);
      const { row } = this.reader.timeline.find(id)!;
      const evidence = [...text].slice(0, MOST_EVIDENCE).join("");
      const report: NewReport = { id: random(16), why, words, log: this.seen.id, entry: fromHex(row.entry), evidence }; // prettier-ignore
      await this.desk.core.wire.post("/v1/reports", report);
    });
  }

  // Leading

  join(): Promise<void> {
    return this.#change(async () => {
      await this.desk.changing.join(this.id);
      await this.desk.refresh();
      if (this.opened) await this.open();
    });
  }

  quit(): Promise<void> {
    return this.#change(async () => {
      await this.desk.changing.change(this.id, { kind: "leave" });
      this.desk.rooms.forget(this.id);
      await this.desk.refresh();
    });
  }

  invite(name: string, role: Role): Promise<void> {
    return this.#change(async () => {
      await this.desk.changing.invite(this.id, name, role);
      // So that they can read its title, and what comes next, at once.
      await this.#give();
    });
  }

  putOut(identity: string): Promise<void> {
    return this.#change(() =>
      this.desk.changing.change(this.id, { kind: "remove", identity: fromHex(identity) }),
    );
  }

  setRole(identity: string, role: Role): Promise<void> {
    return this.#change(() => this.desk.changing.change(this.id, { kind: "role", identity: fromHex(identity), role })); // prettier-ignore
  }

  describe(info: { title: string; topic: string }): Promise<void> {
    return this.#change(async () => {
      if (await this.desk.changing.describe(this.id, info)) await this.#give(true);
    });
  }

  setTimer(seconds: number): Promise<void> {
    return this.#change(() => this.desk.changing.change(this.id, { kind: "timer", seconds }));
  }

  setSlow(seconds: number): Promise<void> {
    return this.#change(() => this.desk.changing.change(this.id, { kind: "slow", seconds }));
  }

  close(): Promise<void> {
    return this.#change(() => this.desk.changing.change(this.id, { kind: "close" }));
  }

  delete(): Promise<void> {
    return this.#change(async () => {
      await this.desk.changing.remove(this.id);
      await this.desk.refresh();
    });
  }

  /** Give our key, and that of the title, to whoever lacks it. */
  async #give(anew = false): Promise<void> {
    const room: Room = await this.outbox.enter();
    await this.desk.keys.ready(
      room,
      (done, total) => (this.giving = done < total ? { done, total } : null),
      anew,
    );
  }

  /** Something about the roster; what was changed is shown when this is over. */
  #change(run: () => Promise<unknown>): Promise<void> {
    return this.asked(async () => {
      await run();
      await this.refresh();
      void this.reader.newer().catch(() => undefined);
    });
  }
}
