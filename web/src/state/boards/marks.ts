/**
 * How far one has read, and what one has begun to write: a record of the vault, so that the box does not know it.
 * Pure: each change takes the record and gives the next one, so that it can be done again over another device's.
 */
import type { Thread } from "../../protocol/board.ts";

/** Read up to which number, and how many posts that is. */
export type Mark = readonly [number: number, posts: number];

/** All up to `base` was read; for threads that go on after it, how far each. */
export interface BoardMarks {
  readonly base: number;
  readonly threads: Readonly<Record<string, Mark>>;
}

export interface Draft {
  readonly subject: string;
  readonly body: string;
}

/** By board (and, for drafts, board/thread), in base64url. */
export interface BoardsRecord {
  readonly v: 1;
  readonly marks: Readonly<Record<string, BoardMarks>>;
  readonly drafts: Readonly<Record<string, Draft>>;
}

export const NONE: BoardsRecord = { v: 1, marks: {}, drafts: {} };
const MOST_THREADS = 400;
const MOST_DRAFTS = 50;
const UNMARKED: BoardMarks = { base: 0, threads: {} };

export function marksOf(record: BoardsRecord, board: string): BoardMarks {
  return record.marks[board] ?? UNMARKED;
}

/** The number up to which a thread was read; 0 for not at all. */
export function readTo(marks: BoardMarks, thread: string): number {
  return Math.max(marks.base, marks.threads[thread]?.[0] ?? 0);
}

/** How many posts of a thread were not read; at least one when any. */
export function unreadIn(marks: BoardMarks, thread: string, now: Pick<Thread, "last" | "posts">): number {
  if (now.last <= readTo(marks, thread)) return 0;
  return Math.max(1, now.posts - (marks.threads[thread]?.[1] ?? 0));
}

/** A thread was read up to a number; what was read before stays read. */
export function withMark(record: BoardsRecord, board: string, thread: string, mark: Mark): BoardsRecord {
  const marks = marksOf(record, board);
  if (mark[0] <= readTo(marks, thread)) return record;
  const threads = { ...marks.threads, [thread]: mark };
  const names = Object.keys(threads);
  let { base } = marks;
  if (names.length > MOST_THREADS) {
    const oldest = names.reduce((a, b) => (threads[a]![0] <= threads[b]![0] ? a : b));
    base = Math.max(base, threads[oldest]![0]);
    delete threads[oldest];
  }
  return { ...record, marks: { ...record.marks, [board]: { base, threads } } };
}

/** Everything up to a number was read: marks below it are not needed any more. */
export function withBase(record: BoardsRecord, board: string, base: number): BoardsRecord {
  const marks = marksOf(record, board);
  if (base <= marks.base) return record;
  const threads = Object.fromEntries(Object.entries(marks.threads).filter(([, mark]) => mark[0] > base));
  return { ...record, marks: { ...record.marks, [board]: { base, threads } } };
}

/** Keep a draft, or none any more when it is empty; the oldest go when there are too many. */
export function withDraft(record: BoardsRecord, place: string, draft: Draft): BoardsRecord {
  const { [place]: _, ...others } = record.drafts;
  if (draft.subject === "" && draft.body === "") return { ...record, drafts: others };
  const kept = Object.entries(others).slice(-(MOST_DRAFTS - 1));
  return { ...record, drafts: { ...Object.fromEntries(kept), [place]: draft } };
}

/** Boards that are gone need no marks and drafts. */
export function withoutOthers(record: BoardsRecord, boards: ReadonlySet<string>): BoardsRecord {
  const kept = <T>(all: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.entries(all).filter(([place]) => boards.has(place.split("/", 1)[0]!)));
  const marks = kept(record.marks);
  const drafts = kept(record.drafts);
  const same =
    Object.keys(marks).length === Object.keys(record.marks).length &&
    Object.keys(drafts).length === Object.keys(record.drafts).length;
  return same ? record : { ...record, marks, drafts };
}
