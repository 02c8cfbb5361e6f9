/** Moderation on the wire: thanks, reports and their queue, acts that wait for a second pair of eyes. As `appliance/protocol/moderation.py` has them. */
import type { Role } from "./account.ts";

/** Reports in one answer. */
export const MAX_PAGE = 100;

export type Why = "spam" | "abuse" | "threat" | "illegal" | "private" | "other";

export type Outcome = "done" | "refused";

export type Did = "removed" | "locked" | "warned" | "banned" | "suspended" | "deleted";

export type ReportPhase = "open" | "taken" | "done" | "refused";

/** Thank for an entry of a log, once; or take it back. */
export interface Thank {
  log: Uint8Array;
  entry: Uint8Array;
}

/** How many thanked for the entry, and whether one did oneself. */
export interface Thanked {
  thanks: number;
  mine: boolean;
}

/**
 * Report an entry of a board or channel, or a person of this box, to those who look after it.
 *
 * `id` is the reporter's choice: the same again is answered alike. `person` names whom it is about; for an
 * entry the box finds the author by itself, if it is a member's. `evidence` is what the reporter saw of
 * something that the box cannot read: his word, and shown as that.
 */
export interface NewReport {
  id: Uint8Array;
  why: Why;
  words?: string;
  log?: Uint8Array | null;
  entry?: Uint8Array | null;
  person?: string | null;
  evidence?: string;
}

/** A report as its reporter sees it; `answer` is what the moderators say to it. */
export interface OwnReport {
  id: Uint8Array;
  why: Why;
  about: string;
  second: number;
  phase: ReportPhase;
  changed: number;
  answer: string;
}

/** One's own reports, the newest first. */
export interface OwnReports {
  reports: OwnReport[];
}

/**
 * A report in the queue. `about` and `role` are of the person it is about, "" and None if unknown.
 *
 * `reporter` is "" when that account is gone. `trusted` says that the box knows the author of the entry,
 * and does not only have the reporter's word.
 */
export interface Report {
  id: Uint8Array;
  why: Why;
  words: string;
  evidence: string;
  log: Uint8Array | null;
  entry: Uint8Array | null;
  area: "boards" | "channels" | "people";
  account: Uint8Array | null;
  about: string;
  role: Role | null;
  trusted: boolean;
  reporter: string;
  second: number;
  phase: ReportPhase;
  taken_by: string;
  changed: number;
  did: Did[];
  answer: string;
  note: string;
}

/**
 * A page of the queue, the oldest open ones first, closed ones the newest first.
 *
 * `next` continues it. `open` counts what waits and this caller may see.
 */
export interface Reports {
  reports: Report[];
  next: Uint8Array | null;
  open: number;
}

/** Settle a report: what was done; `answer` goes to the reporter, `note` to other moderators. */
export interface CloseReport {
  outcome: Outcome;
  did?: Did[];
  answer?: string;
  note?: string;
}

/** What needs a second pair of eyes where the box is set so. */
export type Asked = "member.remove" | "board.delete" | "channel.close" | "audit.wipe" | "four_eyes.off";

/** An act that waits for somebody else's yes; `mine` that the caller asked for it himself. */
export interface Approval {
  id: Uint8Array;
  action: Asked;
  target: string;
  subject: Uint8Array | null;
  asked_by: string;
  second: number;
  until: number;
  mine: boolean;
}

/** Everything that waits. */
export interface Approvals {
  approvals: Approval[];
}
