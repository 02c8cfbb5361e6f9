/** Rows of the account's lists, from the wire's shape to the pages'. */
import type * as Wired from "../../protocol/account.ts";
import { toHex } from "../../protocol/bytes.ts";
import type { InviteRow, MemberRow, SignInRow } from "./types.ts";

export function signInRow(row: Wired.SessionRow): SignInRow {
  return {
    id: toHex(row.session),
    label: row.label,
    device: row.device && toHex(row.device),
    startedHour: row.started_hour,
    usedHour: row.used_hour,
    current: row.current,
  };
}

export function inviteRow(row: Wired.Invite): InviteRow {
  const { role, uses, left, expires, note } = row;
  return { id: toHex(row.id), role, uses, left, expires, note };
}

export function memberRow(row: Wired.Member): MemberRow {
  const { name, role, sessions, suspended, octets, reason, karma } = row;
  return {
    account: toHex(row.account),
    name,
    role,
    sessions,
    suspended,
    octets,
    reason,
    karma,
    suspendedUntil: row.suspended_until,
    canPost: row.can_post,
    canUpload: row.can_upload,
    bans: row.bans.map(({ area, place, until }) => ({ area, place: place && toHex(place), until })),
    createdHour: row.created_hour,
    usedHour: row.used_hour,
  };
}
