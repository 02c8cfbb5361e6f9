/**
 * What was said and is not in the vault yet. It lies sealed in this browser's locker until it is, so that a page
 * closed without a connection loses nothing: the next start sends it, with the same content id.
 */
import { equal, fromHex, toHex } from "../../protocol/bytes.ts";
import type { ChannelContent } from "../../protocol/channelContent.ts";
import type { Content } from "../../protocol/content.ts";
import { openRecord, recordId, sealRecord } from "../../protocol/record.ts";
import { random } from "../random.ts";
import type { Core } from "./core.ts";
import { names, type LogEvent, type OutgoingRecord } from "./records.ts";

/** As many as are kept: what a person writes in the longest tunnel. */
const MAX = 200;
/** These records are never replaced, only dropped: they have one version. */
const VERSION = 1;

/** No record of the vault is called that: a sealed copy of one place opens in no other. */
const nameOf = (id: string): string => `unsent/${id}`;

/** In front of a channel's id, where others have that of a conversation. */
const CHANNEL = "channel/";

type Said = Extract<LogEvent, { k: "m" }>;

interface Kept {
  id: string;
  sealed: Uint8Array;
}

export class Unsent {
  #kept: Kept[] = [];
  #tail: Promise<void> = Promise.resolve();
  #read = false;

  constructor(readonly core: Core) {}

  get #key(): string {
    return `unsent/${toHex(this.core.session.account)}`;
  }

  /** Keep a message of mine until `drop`. */
  keep(conversation: string, event: LogEvent): void {
    if (event.k !== "m" || (event.c.kind !== "text" && event.c.kind !== "attachment")) return;
    const id = toHex(event.c.id);
    // Without its file a message of one would promise what nobody has.
    if (event.c.kind === "attachment" && !this.core.uploads.isStored(id)) return;
    this.#then(async () => {
      if (this.#kept.length >= MAX || this.#kept.some((one) => one.id === id)) return;
      const { keys } = this.core.vault;
      const value = { conversation, event };
      const sealed = await sealRecord(keys, recordId(keys, nameOf(id)), VERSION, value, random);
      this.#kept.push({ id, sealed });
      await this.#save();
    });
  }

  /** It is in the vault, or was taken back. */
  drop(id: Uint8Array): void {
    const gone = toHex(id);
    this.#then(async () => {
      if (!this.#kept.some((one) => one.id === gone)) return;
      this.#kept = this.#kept.filter((one) => one.id !== gone);
      await this.#save();
    });
  }

  /** Send what an earlier page kept. */
  async resume(): Promise<void> {
    await this.#load();
    for (const { id, sealed } of [...this.#kept]) {
      const found = await this.#open(id, sealed);
      if (found?.conversation.startsWith(CHANNEL)) continue;
      const chat = found && this.core.chats.get(found.conversation);
      if (!chat || (await this.#isSaved(found.conversation, id))) this.drop(fromHex(id));
      else
        await this.core.outbound
          .send(found.conversation, found.event.c as Content, found.event.at)
          .catch(() => undefined);
    }
  }

  /** What an earlier page kept of what was said in channels. */
  async channels(): Promise<{ place: string; content: ChannelContent }[]> {
    await this.#load();
    const all = await Promise.all(this.#kept.map(({ id, sealed }) => this.#open(id, sealed)));
    return all.flatMap((found) => {
      if (!found?.conversation.startsWith(CHANNEL)) return [];
      return [{ place: found.conversation.slice(CHANNEL.length), content: found.event.c as ChannelContent }];
    });
  }

  async #isSaved(conversation: string, id: string): Promise<boolean> {
    const [record] = await this.core.vault.read([names.outgoing(this.core.seat.id)]);
    const entries = (record as unknown as OutgoingRecord | undefined)?.entries ?? [];
    if (entries.some((entry) => equal(entry.id, fromHex(id)))) return true;
    const chat = this.core.chats.get(conversation)!;
    await chat.history.begin();
    return chat.timeline.has(id);
  }

  async #open(id: string, sealed: Uint8Array): Promise<{ conversation: string; event: Said } | undefined> {
    const { keys } = this.core.vault;
    try {
      return (await openRecord(keys, recordId(keys, nameOf(id)), VERSION, sealed)) as never;
    } catch {
      return undefined;
    }
  }

  #then(run: () => Promise<void>): void {
    this.#tail = this.#tail
      .then(() => this.#load())
      .then(run)
      .catch(() => undefined);
  }

  async #load(): Promise<void> {
    if (this.#read) return;
    const kept = await this.core.options.locker.get<Kept[]>(this.#key);
    if (this.#read) return;
    this.#read = true;
    this.#kept.unshift(...(kept ?? []));
  }

  async #save(): Promise<void> {
    const { locker } = this.core.options;
    if (this.#kept.length > 0) await locker.put(this.#key, [...this.#kept]);
    else await locker.remove(this.#key);
  }
}
