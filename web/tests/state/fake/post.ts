/** The fake box's post: mailboxes of devices, dispatches, queues, kept envelopes, signals. */
import { equal, fromHex, toHex } from "../../../src/protocol/bytes.ts";
import { envelopeId } from "../../../src/protocol/envelope.ts";
import type { Destination, Dispatch, DispatchState, Leg, Queued } from "../../../src/protocol/post.ts";
import type { Route } from "../../../src/protocol/route.ts";
import type { Line } from "./line.ts";
import { Refused, unique, type Account, type FakeBox, type Session } from "./box.ts";

export interface Place {
  account: Account;
  device: string;
  handle: Uint8Array;
  route: Route;
  /** Ids of the envelopes that came: none comes twice. */
  had: Set<string>;
}

export type Waiting = Queued;

type Body = Record<string, unknown>;

export function post(
  line: Line,
  session: Session,
  request: string,
  body: Body,
  query: URLSearchParams,
): unknown {
  const { account } = session;
  const { box } = line;
  if (request === "POST /v1/events/ticket") return { ticket: "t" };
  if (request === "POST /v1/presence") return {};
  if (request === "GET /v1/listening") {
    const live = box.sockets.filter((socket) => socket.open && socket.session.account === account);
    const devices = new Set(live.flatMap((socket) => socket.session.device ?? []));
    return { devices: [...devices].map(fromHex), seconds: box.watched };
  }
  const device = session.device;
  if (!device) throw new Refused("no_device", 409);
  switch (request) {
    case "POST /v1/mailboxes/mine":
      return {
        mailboxes: (body.handles as Uint8Array[]).map((handle) => want(box, account, device, handle)),
      };
    case "POST /v1/mailboxes/drop":
      for (const handle of body.handles as Uint8Array[])
        for (const [id, place] of box.places)
          if (place.device === device && equal(place.handle, handle)) box.places.delete(id);
      return {};
    case "POST /v1/dispatch":
      return dispatch(line, session, body as unknown as Dispatch);
    case "GET /v1/dispatch":
      return { dispatches: [...account.dispatches.values()] };
    case "GET /v1/queue": {
      const after = Number(query.get("after"));
      const limit = Number(query.get("limit"));
      const waiting = (box.queues.get(device) ?? []).filter((item) => item.number > after);
      return { envelopes: waiting.slice(0, limit), more: waiting.length > limit };
    }
    case "POST /v1/queue/settle": {
      const keep = (body.keep ?? []) as number[];
      for (const item of box.queues.get(device) ?? [])
        if (keep.includes(item.number)) account.kept.set(toHex(envelopeId(item.envelope)), item.envelope);
      settle(box, session, [...((body.done ?? []) as number[]), ...keep]);
      return {};
    }
    case "POST /v1/kept/read":
      return { envelopes: (body.ids as Uint8Array[]).map((id) => account.kept.get(toHex(id)) ?? null) };
    case "POST /v1/kept/lacking":
      return { ids: (body.ids as Uint8Array[]).filter((id) => !account.kept.has(toHex(id))) };
    case "POST /v1/kept":
      if (box.full) throw new Refused("kept_full", 507);
      for (const envelope of body.envelopes as Uint8Array[])
        account.kept.set(toHex(envelopeId(envelope)), envelope);
      return {};
    case "POST /v1/kept/drop":
      for (const id of body.ids as Uint8Array[]) account.kept.delete(toHex(id));
      return {};
    case "POST /v1/signals":
      for (const route of body.routes as Route[]) {
        const place = box.places.get(toHex(route.mailbox));
        const event = { kind: "signal", handle: place?.handle, envelope: body.envelope };
        if (place) box.tell(place.account, event, place.device);
      }
      return {};
  }
  return undefined;
}

function want(box: FakeBox, account: Account, device: string, handle: Uint8Array): unknown {
  for (const place of box.places.values())
    if (place.device === device && equal(place.handle, handle)) return { handle, routes: [place.route] };
  const route: Route = { onion: box.onion, mailbox: unique(20), capability: unique(32) };
  box.places.set(toHex(route.mailbox), { account, device, handle, route, had: new Set() });
  return { handle, routes: [route] };
}

/** Take a dispatch in. */
export function dispatch(line: Line, session: Session, body: Dispatch): DispatchState {
  const { account } = session;
  const { box } = line;
  line.dispatched.push(body);
  const id = toHex(body.id);
  const known = account.dispatches.get(id) as unknown as DispatchState | undefined;
  if (known) return known;
  const legs = body.to.map((to) => leg(box, body, to));
  const state: DispatchState = { id: body.id, legs };
  // What is all here is not remembered: its envelopes are.
  if (legs.some((one) => one.state !== "box")) account.dispatches.set(id, state as never);
  return state;
}

function leg(box: FakeBox, body: Dispatch, to: Destination): Leg {
  const { handle } = to;
  if (box.away) return { handle, state: "relay", until: 500_000, relays: 2, reason: null };
  const place = to.routes.map((route) => box.places.get(toHex(route.mailbox))).find((one) => one);
  if (!place) return { handle, state: "given_up", until: null, relays: 0, reason: "no_mailbox" };
  for (const index of to.envelopes) deliver(box, place, body.envelopes[index]!);
  return { handle, state: "box", until: null, relays: 0, reason: null };
}

/** Put an envelope into a device's queue and tell it, small ones with the news. */
export function deliver(box: FakeBox, place: Place, envelope: Uint8Array): void {
  const id = toHex(envelopeId(envelope));
  if (place.had.has(id)) return;
  place.had.add(id);
  const queue = box.queues.get(place.device) ?? [];
  const hour = Math.floor(box.now / 3600);
  const item: Queued = { number: ++box.number, handle: place.handle, hour, envelope };
  queue.push(item);
  box.queues.set(place.device, queue);
  const event = envelope.length <= 4032 ? { kind: "mail", queued: [item] } : { kind: "mail" };
  box.tell(place.account, event, place.device);
}

/** These wait no more. */
export function settle(box: FakeBox, session: Session, done: readonly number[]): void {
  const waiting = box.queues.get(session.device!) ?? [];
  box.queues.set(
    session.device!,
    waiting.filter((item) => !done.includes(item.number)),
  );
}
