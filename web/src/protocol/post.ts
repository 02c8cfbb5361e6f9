/** The post on the wire: what a member's device leaves with its own box, fetches from it, and hears of it. As `appliance/protocol/post.py` has them. */
import type { LogNews } from "./log.ts";
import type { Route } from "./route.ts";

export const MAX_DESTINATIONS = 64;

export const MAX_ENVELOPES = 256;

export const MAX_QUEUE = 256;

/** Octets of one message of a device on the event socket. */
export const MAX_SOCKET_MESSAGE = 16 * 1024;

/** A device to be reached: its routes in the order to be tried, the home box first. */
export interface Destination {
  handle: Uint8Array;
  routes: Route[];
  envelopes: number[];
}

/** Envelopes to be delivered until `hours` are over; the same `id` again is answered alike. */
export interface Dispatch {
  id: Uint8Array;
  envelopes: Uint8Array[];
  to: Destination[];
  hours?: number;
}

/** waiting: at the sender's box; partly: some envelopes are placed; relay: all at relays; box: all taken by
the recipient's box; given_up: the time is over or every route refuses for good. */
export type State = "waiting" | "partly" | "relay" | "box" | "given_up";

/** How it stands with one destination: relays keep it to hour `until`; `reason` is a refusal code. */
export interface Leg {
  handle: Uint8Array;
  state: State;
  until: number | null;
  relays: number;
  reason: string | null;
}

/** How it stands with a dispatch. */
export interface DispatchState {
  id: Uint8Array;
  legs: Leg[];
}

/** The member's dispatches that are not yet done, and those done within the last day. */
export interface Dispatches {
  dispatches: DispatchState[];
}

/**
 * Make sure this device has a mailbox for each handle here and at every relay in use.
 *
 * The handle of eight zero octets is the request mailbox.
 */
export interface WantMailboxes {
  handles: Uint8Array[];
}

/** The routes of one handle's mailboxes that are ready; more may follow (event "routes"). */
export interface MailboxRoutes {
  handle: Uint8Array;
  routes: Route[];
}

/** Routes by handle. */
export interface AllRoutes {
  mailboxes: MailboxRoutes[];
}

/** Give up the mailboxes of some handles (a blocked or forgotten correspondent). */
export interface DropMailboxes {
  handles: Uint8Array[];
}

/** An envelope that waits for this device: number, the mailbox's handle, hour of arrival. */
export interface Queued {
  number: number;
  handle: Uint8Array;
  hour: number;
  envelope: Uint8Array;
}

/** Envelopes in the order of arrival; fetched again until settled. */
export interface Queue {
  envelopes: Queued[];
  more: boolean;
}

/** `done` are removed. `keep` become the account's kept envelopes under their ids (attachments). */
export interface Settle {
  done?: number[];
  keep?: number[];
}

/** Read some of the account's kept envelopes. */
export interface ReadKept {
  ids: Uint8Array[];
}

/** Kept envelopes in the order asked; None for one that is not there. */
export interface Kept {
  envelopes: (Uint8Array | null)[];
}

/** Which of the ids asked for are not kept, in the order asked. */
export interface Lacking {
  ids: Uint8Array[];
}

/** Keep envelopes of one's own (sent attachments), so that one's other devices can read them. */
export interface Keep {
  envelopes: Uint8Array[];
}

/** Remove kept envelopes (a deleted or disappeared attachment). */
export interface DropKept {
  ids: Uint8Array[];
}

/** A passing sign (typing, here): one envelope of 960 octets, delivered now or never, stored nowhere. */
export interface Signal {
  routes: Route[];
  envelope: Uint8Array;
}

/** The same between boxes; held for nobody. */
export interface RelaySignal {
  mailbox: Uint8Array;
  capability: Uint8Array;
  envelope: Uint8Array;
}

/** Opens one WebSocket within 30 seconds. */
export interface Ticket {
  ticket: string;
}

/** Members who are here now and let it be seen. */
export interface Here {
  names: string[];
}

/** Which of the account's devices hear what happens, now or a moment ago; the box knows for so many seconds. */
export interface Listening {
  devices: Uint8Array[];
  seconds: number;
}

/** Whether others on this box see that this member is here. */
export interface Presence {
  visible: boolean;
}

export type EventKind =
  | "hello"
  | "mail"
  | "dispatch"
  | "vault"
  | "prekeys"
  | "routes"
  | "signal"
  | "here"
  | "log"
  | "report"
  | "desk"
  | "box"
  | "session"
  | "reset";

/**
 * Something the device may want to know; `number` rises by one within a stream or long poll.
 *
 * mail: look into the queue (`queued` carries what arrived when it is small) · dispatch: one changed ·
 * vault: another device of the account changed it, `revision` · prekeys: `left` of this device ·
 * routes: a handle's routes changed · signal: `handle` and `envelope` · here: `names` ·
 * log: one that this sign-in hears of has grown or changed · session: this session has ended,
 * or may do other things now · reset: events were lost, read everything again.
 */
export interface Event {
  number: number;
  kind: EventKind;
  queued?: Queued[] | null;
  dispatch?: DispatchState | null;
  revision?: number | null;
  left?: number | null;
  handle?: Uint8Array | null;
  envelope?: Uint8Array | null;
  names?: string[] | null;
  log?: LogNews | null;
  report?: Uint8Array | null;
}

/** Events after the number asked for; `stream` names the buffer they come from. */
export interface Events {
  stream: Uint8Array;
  events: Event[];
}
