/** The audit log on the wire. As `appliance/protocol/audit.py` has it. */
import type { Role } from "./account.ts";

/** Acts in one answer. */
export const MAX_PAGE = 200;

/** What may stand in the log. Each has a sentence in the catalogues. */
export type Action =
  | "account.claim"
  | "member.role"
  | "member.suspend"
  | "member.restore"
  | "member.limits"
  | "member.ban"
  | "member.unban"
  | "member.remove"
  | "invite.make"
  | "invite.revoke"
  | "box.rename"
  | "box.brand"
  | "box.settings"
  | "box.protect"
  | "box.unprotect"
  | "grant.make"
  | "grant.revoke"
  | "relay.use"
  | "relay.leave"
  | "reader.add"
  | "reader.remove"
  | "key.add"
  | "key.remove"
  | "report.take"
  | "report.release"
  | "report.done"
  | "report.refuse"
  | "ask.made"
  | "ask.approved"
  | "ask.refused"
  | "audit.wipe"
  | "board.make"
  | "board.change"
  | "board.close"
  | "board.delete"
  | "board.order"
  | "board.mirror"
  | "board.peers"
  | "post.pin"
  | "post.unpin"
  | "post.lock"
  | "post.unlock"
  | "post.remove"
  | "post.release"
  | "channel.close"
  | "channel.remove";

/**
 * One act: who (`account` None and no name: the owner's command line), what, to whom or what.
 *
 * `target` is the name of what was acted on, as it was then; `subject` its id, where it has one. `details`
 * are what the sentence of the action needs: never a body, an address of the network, or a secret.
 */
export interface Act {
  number: number;
  second: number;
  account: Uint8Array | null;
  name: string;
  role: Role;
  action: string;
  target: string;
  subject: Uint8Array | null;
  details: Record<string, string | number>;
}

/** The newest acts first; with `more`, older ones are read with `before` = the last one's number. */
export interface Acts {
  acts: Act[];
  more: boolean;
  days: number;
}
