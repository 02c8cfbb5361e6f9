/** The directory logs of boxes as the account remembers them, and contradictions between their checkpoints. */
import { equal } from "../../protocol/bytes.ts";
import { publicKey } from "../../protocol/onion.ts";
import { readCheckpoint, type LogHead } from "../../protocol/transparency.ts";
import type { Core } from "./core.ts";
import { names, type Contradiction, type LogsRecord } from "./records.ts";

/** Contradictions that are kept. */
const MOST_KEPT = 16;
const NONE: LogsRecord = { v: 1, heads: {} };

export class Logs {
  #heads: Record<string, LogHead> = {};

  constructor(readonly core: Core) {}

  /** The tree that an answer of this box must continue. */
  async head(host: string): Promise<LogHead | null> {
    const [stored] = await this.core.vault.read([names.logs]);
    const logs = (stored as unknown as LogsRecord | undefined) ?? NONE;
    const kept = logs.heads[host] ?? null;
    const mine = this.#heads[host];
    // Another device of the account may have gone on from another tree than the one remembered here.
    const over = (one: Contradiction) => one.accepted && one.host === host && mine && same(one.before, mine);
    if (!mine || logs.contradictions?.some(over)) return kept;
    return kept && kept.size >= mine.size ? kept : mine;
  }

  /** A checked head that continues what was known. */
  keep(host: string, head: LogHead, note: string): void {
    this.#heads[host] = head;
    this.core.ledger.later((batch) => {
      batch.change<LogsRecord>(names.logs, (logs) => {
        const before = logs?.heads[host];
        return before && before.size >= head.size ? logs : withHead(logs ?? NONE, host, head, note);
      });
    });
  }

  /** Keep both checkpoints: by the box's own signatures they prove that one does not continue the other. */
  async contradict(host: string, before: LogHead, after: string): Promise<void> {
    const hour = this.core.hour();
    await this.core.ledger.run((batch) => {
      batch.change<LogsRecord>(names.logs, (now) => {
        const logs = now ?? NONE;
        const known = logs.heads[host];
        const note = known && same(known, before) ? (logs.notes?.[host] ?? "") : "";
        const others = (logs.contradictions ?? []).filter((one) => one.host !== host || one.after !== after);
        const seen: Contradiction = { host, hour, before, note, after, accepted: false };
        return { ...logs, contradictions: [...others, seen].slice(-MOST_KEPT) };
      });
    });
  }

  /** Go on from the checkpoint that contradicted last; the evidence stays. */
  async accept(host: string): Promise<void> {
    await this.core.ledger.run((batch) => {
      batch.change<LogsRecord>(names.logs, (logs) => {
        const last = logs?.contradictions?.filter((one) => one.host === host).at(-1);
        const box = publicKey(host);
        if (!logs || !last || last.accepted || !box) return logs;
        const head = readCheckpoint(last.after, box);
        this.#heads[host] = head;
        const contradictions = logs.contradictions!.map((one) =>
          one === last ? { ...one, accepted: true } : one,
        );
        return withHead({ ...logs, contradictions }, host, head, last.after);
      });
    });
  }
}

function withHead(logs: LogsRecord, host: string, head: LogHead, note: string): LogsRecord {
  return { ...logs, heads: { ...logs.heads, [host]: head }, notes: { ...logs.notes, [host]: note } };
}

function same(one: LogHead, other: LogHead): boolean {
  return one.size === other.size && equal(one.root, other.root);
}
