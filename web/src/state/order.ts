/** Order among members: every request of it, one function each, and the lists that pages share. Ids are base64url text. */
import type * as Audit from "../protocol/audit.ts";
import { toBase64url } from "../protocol/base64url.ts";
import type { Versions } from "../protocol/board.ts";
import type * as Wired from "../protocol/moderation.ts";
import { ask } from "./api.ts";
import { random } from "./random.ts";
import { Resource } from "./resource.svelte.ts";

/** A value as JSON carries it. */
type Told<T> = T extends Uint8Array
  ? string
  : T extends readonly (infer One)[]
    ? Told<One>[]
    : T extends object
      ? { [Key in keyof T]: Told<T[Key]> }
      : T;

export type Report = Told<Wired.Report>;
export type Reports = Told<Wired.Reports>;
export type OwnReport = Told<Wired.OwnReport>;
export type NewReport = Told<Wired.NewReport>;
export type Approval = Told<Wired.Approval>;
export type Act = Told<Audit.Act>;
export type Acts = Told<Audit.Acts>;
export type { CloseReport, Did, Outcome, Why } from "../protocol/moderation.ts";

export const WHYS = ["spam", "abuse", "threat", "illegal", "private", "other"] as const;
export const DIDS = ["removed", "locked", "warned", "banned", "suspended", "deleted"] as const;
/** Letters of what a reporter says he saw. */
export const MOST_EVIDENCE = 4_000;
/** Letters of an answer to the reporter, and of a note. */
export const MOST_ANSWER = 500;

const at = encodeURIComponent;

/** The name of a report, chosen by its reporter: the same one sent twice counts once. */
export const newId = (): string => toBase64url(random(16));

/** Where a post stands now: its thread, and its number there. Refusal no_entry when it is gone. */
export function placeOf(board: string, post: string): Promise<Told<Pick<Versions, "thread" | "number">>> {
  return ask("GET", `/v1/boards/${at(board)}/posts/${at(post)}`);
}

export function report(report: NewReport): Promise<OwnReport> {
  return ask("POST", "/v1/reports", { body: report });
}

export function reports(state: "open" | "closed", after?: string | null): Promise<Reports> {
  return ask("GET", `/v1/reports?state=${state}${after ? `&after=${at(after)}` : ""}`);
}

/** Say that one looks at it, or no longer. Refusal wrong_state: somebody else does. */
export function takeReport(id: string, release = false): Promise<Report> {
  return ask("POST", `/v1/reports/${at(id)}/${release ? "release" : "take"}`, { body: {} });
}

export function closeReport(id: string, close: Wired.CloseReport): Promise<Report> {
  return ask("POST", `/v1/reports/${at(id)}/close`, { body: close });
}

export function acts(before?: number): Promise<Acts> {
  return ask("GET", `/v1/audit?limit=50${before === undefined ? "" : `&before=${before}`}`);
}

/** At home only. Refusal second_eyes: it waits for somebody else. */
export const wipeAudit = (): Promise<unknown> => ask("DELETE", "/v1/audit");

export const agree = (id: string): Promise<unknown> => ask("POST", `/v1/approvals/${at(id)}`, { body: {} });
export const refuse = (id: string): Promise<unknown> => ask("DELETE", `/v1/approvals/${at(id)}`);

export const queue = new Resource(() => reports("open"));
export const approvals = new Resource(
  async () => (await ask<{ approvals: Approval[] }>("GET", "/v1/approvals")).approvals,
);
export const ownReports = new Resource(
  async () => (await ask<{ reports: OwnReport[] }>("GET", "/v1/reports/mine")).reports,
);

/** Forget everything that was shown. */
export function forget(): void {
  for (const resource of [queue, approvals, ownReports]) resource.clear();
}
