/** Rights: what each role may do, as `appliance/service/rights.py` has it. The box decides; here only what is offered. */
import type { Role } from "./types.ts";

export type Act =
  | "brand_box"
  | "read_audit"
  | "approve"
  | "invite"
  | "change_role"
  | "delete_member"
  | "suspend"
  | "suspend_for_ever"
  | "ban"
  | "see_members"
  | "set_limits"
  | "read_reports"
  | "report";

const ADMINS: readonly Role[] = ["owner", "admin"];
const MODERATORS: readonly Role[] = [...ADMINS, "moderator"];
const PEOPLE: readonly Role[] = [...MODERATORS, "member"];

export const RIGHTS: Readonly<Record<Act, readonly Role[]>> = {
  brand_box: ADMINS,
  read_audit: ADMINS,
  approve: ADMINS,
  invite: ADMINS,
  change_role: ADMINS,
  delete_member: ADMINS,
  suspend_for_ever: ADMINS,
  set_limits: ADMINS,
  see_members: MODERATORS,
  suspend: MODERATORS,
  ban: MODERATORS,
  read_reports: MODERATORS,
  report: PEOPLE,
};

export const RANKS: Readonly<Record<Role, number>> = {
  owner: 4,
  admin: 3,
  moderator: 2,
  member: 1,
  agent: 1,
};
/** How far ahead the end of a moderator's suspension or ban may lie. */
export const MODERATOR_DAYS = 30;

/** Whether this role may do that. */
export function may(role: Role, act: Act): boolean {
  return RIGHTS[act].includes(role);
}

/** Whether `role` has power over those who have, or come to have, the roles `others`; nobody has it over himself. */
export function over(role: Role, ...others: Role[]): boolean {
  return role === "owner" || others.every((other) => RANKS[other] < RANKS[role]);
}

/** Whether `role` may end what ends at `until` (0: never by itself), which an admin alone may have done. */
export function mayLift(role: Role, until: number, now: number): boolean {
  return may(role, "suspend_for_ever") || (until > 0 && until <= now + MODERATOR_DAYS * 86_400);
}
