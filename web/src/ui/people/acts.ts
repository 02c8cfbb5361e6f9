/** Acts of the audit log, and what waits for a second administrator, as sentences. */
import { moment } from "../../locales/format.ts";
import { t } from "../../locales/index.ts";
import type { Act, Approval, Did } from "../../state/order.ts";

const filled = (form: string, words: Readonly<Record<string, string>>): string =>
  form.replaceAll(/\{(\w+)\}/g, (_, name: string) => words[name] ?? "");

/** What was asked for: "Delete the account of leo". */
export function asked({ action, target }: Pick<Approval, "action" | "target">): string {
  const form = t.approvals.acts[action] as string | undefined;
  return form === undefined ? `${action} ${target}`.trim() : filled(form, { target });
}

/** Who did it: a name, or the owner's command line. */
export const actor = (name: string): string => name || t.audit.console;

/** What was done, as words after a name; an act of a newer version is told by its name. */
export function sentence(act: Pick<Act, "action" | "target" | "details">): string {
  const form = t.audit.sentences[act.action];
  if (form === undefined) return `${act.action} ${act.target}`.trim();
  return filled(form, { ...details(act), target: act.target }).trim();
}

function details({ target, details: given }: Pick<Act, "target" | "details">): Record<string, string> {
  const said = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, String(value)]));
  const { until } = given;
  const role = (name: string | undefined): string => (name ? (t.account.roles[name] ?? name) : "");
  const limits = Object.entries(said)
    .filter(([name]) => name in t.audit.limits)
    .map(([name, value]) => `${t.audit.limits[name]}: ${allowance(value)}`);
  return {
    ...said,
    old: role(said["old"]),
    new: role(said["new"]),
    role: role(said["role"]),
    area: t.audit.areas[said["area"] ?? ""] ?? said["area"] ?? "",
    until: typeof until === "number" && until > 0 ? t.audit.until(moment(until)) : "",
    reason: said["reason"] ? t.audit.reason(said["reason"]) : "",
    note: target ? t.audit.note(target) : "",
    did: said["did"] ? `: ${said["did"].split(", ").map(done).join(", ")}` : "",
    limits: limits.length > 0 ? ` (${limits.join(", ")})` : "",
    asked_by: actor(said["asked_by"] ?? ""),
    act: asked({ action: (said["act"] ?? "") as Approval["action"], target }),
  };
}

const allowance = (value: string): string =>
  (t.power.allowances as Readonly<Record<string, string>>)[value] ?? value;
const done = (value: string): string => t.reports.dids[value as Did] ?? value;
