/**
 * How far each channel was read, which are muted, and what one has begun to write: a record of the vault, so that the
 * box does not know it. Pure: each change takes the record and gives the next one, so that it can be done again over
 * another device's.
 */

/** By the ids of channels in hex (SPEC section 30). */
export interface ChannelsRecord {
  readonly v: 1;
  /** The number in the log up to which it was read. */
  readonly marks: Readonly<Record<string, number>>;
  readonly muted: readonly string[];
  readonly drafts: Readonly<Record<string, string>>;
}

export const NONE: ChannelsRecord = { v: 1, marks: {}, muted: [], drafts: {} };
const MOST_DRAFTS = 50;

/** Up to where a channel was read; what was read once stays read. */
export function withMark(record: ChannelsRecord, id: string, number: number): ChannelsRecord {
  if (number <= (record.marks[id] ?? 0)) return record;
  return { ...record, marks: { ...record.marks, [id]: number } };
}

export function withMuted(record: ChannelsRecord, id: string, muted: boolean): ChannelsRecord {
  if (record.muted.includes(id) === muted) return record;
  const others = record.muted.filter((one) => one !== id);
  return { ...record, muted: muted ? [...others, id] : others };
}

/** Keep a draft, or none any more when it is empty; the oldest go when there are too many. */
export function withDraft(record: ChannelsRecord, id: string, text: string): ChannelsRecord {
  const { [id]: before = "", ...others } = record.drafts;
  if (before === text) return record;
  if (text === "") return { ...record, drafts: others };
  const kept = Object.entries(others).slice(-(MOST_DRAFTS - 1));
  return { ...record, drafts: { ...Object.fromEntries(kept), [id]: text } };
}

/** Channels that are gone need nothing. */
export function withoutOthers(record: ChannelsRecord, ids: ReadonlySet<string>): ChannelsRecord {
  const kept = <T>(all: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.entries(all).filter(([id]) => ids.has(id)));
  const all = [...Object.keys(record.marks), ...Object.keys(record.drafts), ...record.muted];
  if (all.every((id) => ids.has(id))) return record;
  const muted = record.muted.filter((id) => ids.has(id));
  return { ...record, marks: kept(record.marks), drafts: kept(record.drafts), muted };
}
