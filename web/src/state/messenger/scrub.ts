/** Taking things out of the vault for good: deleted and disappeared messages, whole conversations. */
import { equal, fromHex, toHex } from "../../protocol/bytes.ts";
import { encode } from "../../protocol/cbor.ts";
import type { Chat } from "./chat.svelte.ts";
import type { Core } from "./core.ts";
import { AGAIN, lifeOf, sooner } from "./expiry.ts";
import { names, type IndexRecord, type LogEvent, type SegmentRecord, type TalkRecord } from "./records.ts";
import { expiryOf } from "./timeline.ts";

/** Milliseconds that disappeared messages wait for others, to go together. */
const TOGETHER = 1_000;
/** Records changed at once. */
const AT_ONCE = 32;

export class Scrub {
  #waiting = new Map<string, Set<string>>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly core: Core) {}

  /** Take this message out soon. */
  later(conversation: string, id: string): void {
    const ids = this.#waiting.get(conversation) ?? new Set();
    this.#waiting.set(conversation, ids.add(id));
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const all = [...this.#waiting];
      this.#waiting.clear();
      for (const [one, set] of all)
        void this.messages(one, [...set].map(fromHex), true).catch(() => undefined);
    }, TOGETHER);
  }

  /** Take out every message whose time has come, shown or not. */
  async sweep(): Promise<void> {
    for (const chat of this.core.chats.all) {
      const { expires = 0 } = this.#talk(chat.id);
      if (expires > 0 && expires <= this.core.now()) await this.#sweep(chat);
    }
  }

  #talk(id: string): Partial<TalkRecord> {
    return (this.core.vault.peek(names.talk(id)) ?? {}) as Partial<TalkRecord>;
  }

  async #sweep(chat: Chat): Promise<void> {
    const before = keyOf(this.#talk(chat.id));
    const stretches = await chat.history.timed();
    const now = this.core.now();
    const expiring = [...chat.timeline.entries.values()].flatMap((entry) => {
      const second = entry.removed ? null : expiryOf(entry);
      return second === null ? [] : [{ id: fromHex(entry.id), second }];
    });
    const due = expiring.filter(({ second }) => second <= now).map(({ id }) => id);
    if (due.length > 0) await this.messages(chat.id, due, true);
    const later = expiring
      .filter(({ second }) => second > now)
      .reduce((one, { second }) => sooner(one, second), 0);
    const timed: Record<string, number> = {};
    const values = (await this.core.vault.read(stretches)) as unknown as (SegmentRecord | undefined)[];
    for (const [at, name] of stretches.entries()) {
      const [, device, , number] = name.split("/");
      if (values[at]?.events.some((event) => lifeOf(event) > 0))
        timed[device!] = Math.min(Number(number), timed[device!] ?? Infinity);
    }
    await this.core.ledger.run((batch) =>
      // Another device may have begun to count meanwhile.
      batch.talk(chat.id, (talk) =>
        keyOf(talk) === before ? { ...talk, expires: later, timed } : { ...talk, expires: now + AGAIN },
      ),
    );
  }

  /** What these messages said is no more, in every stretch of the log that has been loaded; with `wholly` no trace stays. */
  async messages(conversation: string, targets: readonly Uint8Array[], wholly = false): Promise<void> {
    const chat = this.core.chats.get(conversation);
    if (!chat) return;
    const wanted = new Set(targets.map(toHex));
    const files = targets
      .map((id) => chat.timeline.said(toHex(id)))
      .filter((said) => said?.kind === "attachment");
    // What comes of them from now on is not kept.
    for (const said of files) this.core.files.unwant(toHex(said!.id));
    const stretches = chat.history.all().filter((name) => {
      const record = this.core.vault.peek(name) as unknown as SegmentRecord | undefined;
      return record?.events.some((event) => isOf(event, wanted));
    });
    // First, for whoever is cut off does it again as long as the message is there.
    for (const said of files) if (said?.kind === "attachment") await this.core.files.drop(said);
    await this.core.ledger.run((batch) => {
      for (const name of stretches)
        batch.change<SegmentRecord>(
          name,
          (now) => now && { v: 1, events: now.events.flatMap(blank(wanted, wholly)) },
        );
      batch.talk(conversation, (talk) => cleared(talk, targets));
      batch.after.push(() => chat.forgetTexts(wanted, wholly));
    });
  }

  /** The conversation is gone from the vault. */
  async conversation(id: string): Promise<void> {
    await this.core.uploads.dropAll(id);
    const stretches = this.core.chats.get(id)?.history.all() ?? [];
    for (let at = 0; at < stretches.length; at += AT_ONCE)
      await this.core.ledger.run((batch) => {
        for (const name of stretches.slice(at, at + AT_ONCE)) batch.change(name, () => undefined);
      });
    await this.core.ledger.run(async (batch) => {
      for (const peer of this.core.ledger.peers(batch)) {
        const record = await this.core.ledger.session(batch, peer);
        if (record?.conversation === id) batch.set(names.session(this.core.seat.id, peer), undefined);
      }
      batch.change(names.talk(id), () => undefined);
      batch.change(names.person(id), () => undefined);
      batch.change(names.picture(id), () => undefined);
      batch.change<IndexRecord>(
        names.index,
        (now) => now && { v: 1, ids: now.ids.filter((one) => one !== id) },
      );
    });
  }
}

/** What changes whenever a timer begins to run on some device, and not by taking messages out. */
function keyOf({ expires = 0, segments, taken, fresh, last }: Partial<TalkRecord>): string {
  const rest = { expires, segments: segments ?? {}, taken: taken ?? null, fresh: fresh ?? [] };
  return toHex(encode({ ...rest, last: last?.id ?? null }));
}

function isOf(event: LogEvent, wanted: ReadonlySet<string>): boolean {
  if (event.k !== "m") return false;
  return wanted.has(toHex(event.c.id)) || (event.c.kind === "edit" && wanted.has(toHex(event.c.target)));
}

function blank(wanted: ReadonlySet<string>, wholly: boolean): (event: LogEvent) => LogEvent[] {
  return (event) => {
    if (event.k !== "m" || event.c.kind === "gone" || !isOf(event, wanted)) return [event];
    if (wholly) return [];
    return [
      { k: "m", at: event.at, by: event.by, c: { v: 1, id: event.c.id, kind: "gone", sent: event.c.sent } },
    ];
  };
}

function cleared(talk: TalkRecord, targets: readonly Uint8Array[]): TalkRecord {
  const isTarget = (id: Uint8Array): boolean => targets.some((one) => equal(one, id));
  const last = talk.last && isTarget(talk.last.id) ? { ...talk.last, kind: "gone", text: "" } : talk.last;
  return { ...talk, last, fresh: talk.fresh.filter((id) => !isTarget(id)) };
}
