/** Channels on the wire: what members ask their box, and post. As `appliance/protocol/channel.py` has them. */
import type { Found, TakenPrekey } from "./directory.ts";
import type { Mark } from "./membership.ts";

/** Kinds of entries in a channel's log, by their number there. */
export const KINDS = ["roster", "message"] as const;
/** Members that are looked up, or whose prekeys are taken, in one request. */
export const MAX_LOOK_UPS = 50;
/** A message lives at most so long, when it is to disappear: a year and a day. */
export const MAX_HOURS = 8784;

/** A channel as the box knows it. */
export interface Channel {
  id: Uint8Array;
  encryption: "sender-keys/1";
  public: boolean;
  closed: boolean;
  roster: Mark;
  devices: number;
  members: number;
  /** The number of the log's last entry. */
  last: number;
  /** The number of the first entry that is still there. */
  oldest: number;
  /** Whether whoever asks is a member. */
  member: boolean;
  title: string | null;
  /** Of a public channel; what they are in a private one only its members know. */
  topic: string | null;
}

/** Those one is a member of, and those one may join. */
export interface Channels {
  channels: Channel[];
}

/** Make a channel: its first signed entry. The same again is answered alike. */
export interface NewChannel {
  entry: Uint8Array;
}

/** One more signed entry of the roster. The same again is answered alike. */
export interface AppendRoster {
  channel: Uint8Array;
  entry: Uint8Array;
}

/** Where the entry stands in the log, and how the channel stands with it. */
export interface Appended {
  number: number;
  roster: Mark;
  devices: number;
}

/**
 * A sealed message under an id of one's own; the same id again is answered alike.
 *
 * `roster` and `devices` are what one saw when one sealed it: Refusal old_roster when they are not the
 * present ones. It is to be gone after `hours`, where the channel's timer or one's own says so.
 */
export interface PostChannel {
  channel: Uint8Array;
  id: Uint8Array;
  roster: number;
  devices: number;
  sealed: Uint8Array;
  hours?: number;
}

/** Where it stands in the log, and the hour it was taken in. */
export interface Posted {
  number: number;
  hour: number;
}

/** Remove what a message says: one's own, or anybody's as who keeps order in the channel or at the box. */
export interface TakeDown {
  channel: Uint8Array;
  number: number;
}

/** Ask for the entries of a roster after a number (0: all). */
export interface RosterQuery {
  channel: Uint8Array;
  after?: number;
}

/** A signed entry of the roster, and where it stands in the log. */
export interface RosterEntry {
  number: number;
  entry: Uint8Array;
}

/** Entries in their order; `more` when others follow. They stay when the log's messages go. */
export interface RosterPage {
  entries: RosterEntry[];
  more: boolean;
}

/** Ask for directory entries of members, by name, with proofs from `size` on as in LookUp. */
export interface MembersQuery {
  channel: Uint8Array;
  names: string[];
  size?: number;
}

/**
 * What is found of them, in the order asked, nothing of a name that is gone; all at one state of the log.
 *
 * `devices` is the channel's counter before it was looked: who posts with it has read no less.
 */
export interface MembersPage {
  found: Found[];
  devices: number;
}

/** Ask whose entries have changed since the counter stood there (0: everybody's). */
export interface MembersSince {
  channel: Uint8Array;
  devices: number;
}

/** Names of members to be looked up again, and the counter that goes with it. */
export interface MembersChanged {
  names: string[];
  devices: number;
}

/** Devices of one member. */
export interface WantedPrekeys {
  name: string;
  devices: Uint8Array[];
}

/** Take one one-time prekey of each named device of members; no work is asked for. */
export interface TakeMany {
  channel: Uint8Array;
  wanted: WantedPrekeys[];
}

/** One member's. */
export interface TakenOf {
  name: string;
  prekeys: TakenPrekey[];
}

/** One-time prekeys, gone from the box for good, in the order asked; nothing of a name that is gone. */
export interface TakenMany {
  taken: TakenOf[];
}
