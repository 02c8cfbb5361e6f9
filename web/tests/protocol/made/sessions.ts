/** Made for Python: agreements, conversations of ratchets and of whole devices, signals. */
import { toHex, utf8 } from "../../../src/protocol/bytes.ts";
import { pad, unpad } from "../../../src/protocol/envelope.ts";
import { accept, openFirst } from "../../../src/protocol/first.ts";
import { agreementPublic, encapsulate } from "../../../src/protocol/keys.ts";
import * as peers from "../../../src/protocol/peer.ts";
import * as pq from "../../../src/protocol/pqxdh.ts";
import * as ratchets from "../../../src/protocol/ratchet.ts";
import { Refusal } from "../../../src/protocol/refusal.ts";
import { sealSignal } from "../../../src/protocol/signals.ts";
import { drawn } from "../../vectors.ts";
import { A, B, HOUR, cbor, own } from "./cast.ts";

type Who = "a" | "b";
type Step = Record<string, unknown>;
const SIZE = 160;
const MEETING = 20;
const ONCE = B.oneTime(77);

/** The code of a refusal, or what was made. */
function attempt<T>(make: () => T): { refused: string } | { made: T } {
  try {
    return { made: make() };
  } catch (error) {
    if (error instanceof Refusal) return { refused: error.code };
    throw error;
  }
}

export function pqxdh() {
  const cases = [ONCE.prekey, null].map((prekey, at) => {
    const [seed, coins] = [own(`ek ${at}`), own(`coins ${at}`)];
    const kem = encapsulate(pq.kemKey(B.bundle, prekey), coins);
    const agreed = pq.initiate(A.own, pq.partyOf(B.own), B.bundle, prekey, seed, kem);
    const initiation = {
      ephemeral: agreementPublic(seed),
      prekey_id: B.bundle.prekey_id,
      one_time_id: prekey?.id ?? 0,
      kem_ciphertext: kem.ciphertext,
    };
    return {
      name: String(at),
      one_time: prekey !== null,
      ephemeral_seed: toHex(seed),
      kem_coins: toHex(coins),
      kem_secret: toHex(kem.secret),
      initiation: cbor(initiation),
      agreed: cbor(agreed),
    };
  });
  return {
    initiator: cbor(A.own),
    responder: cbor(B.own),
    bundle: cbor(B.bundle),
    lasting: cbor(B.lasting),
    one_time_secret: cbor(ONCE.secret),
    one_time_prekey: cbor(ONCE.prekey),
    cases,
  };
}

/** Two ratchets whose every step is drawn: who sends, what arrives, what is lost, repeated or changed. */
export function ratchet() {
  return { size: SIZE, conversations: ["x", "y"].map(chat) };
}

function chat(name: string) {
  const draw = below(`ratchet ${name}`);
  const [a, b] = [A.own, B.own];
  const kem = encapsulate(B.bundle.kem, own(`${name} coins`));
  const agreed = pq.initiate(a, pq.partyOf(b), B.bundle, null, own(`${name} ek`), kem);
  const states = {
    a: ratchets.beginAsInitiator(agreed, B.bundle.prekey, own(`${name} pair`)),
    b: ratchets.beginAsResponder(agreed, B.lasting.prekey),
  };
  const start = { a: cbor(states.a), b: cbor(states.b) };
  const way: { to: Who; message: Uint8Array }[] = [];
  const steps: Step[] = [];
  for (let at = 0; at < 60; at++) {
    const who: Who = draw(2) ? "a" : "b";
    if (draw(2) && states[who].send) steps.push(send(who, at));
    else if (way.length > 0) steps.push(receive(way[draw(way.length)]!, at));
  }
  return { name, start, steps };

  function send(who: Who, at: number): Step {
    const [fresh, payload] = [own(`${name} ${at}`, 48), utf8(`${name} ${at}`)];
    const sealed = ratchets.encrypt(states[who], pad(payload, SIZE), drawn(fresh));
    states[who] = sealed.state;
    way.push({ to: who === "a" ? "b" : "a", message: sealed.message });
    const told = { payload: toHex(payload), fresh: toHex(fresh), message: toHex(sealed.message) };
    return { do: "send", who, ...told, state: cbor(sealed.state) };
  }

  function receive({ to: who, message: sent }: { to: Who; message: Uint8Array }, at: number): Step {
    const message = sent.slice();
    if (draw(6) === 0) message[draw(message.length)]! ^= 4;
    const [fresh, hour] = [own(`${name} ${at}`, 32), HOUR + at * 20];
    const step = { do: "receive", who, message: toHex(message), fresh: toHex(fresh), hour };
    const told = attempt(() => ratchets.decrypt(states[who], message, hour, drawn(fresh)));
    if ("refused" in told) return { ...step, ...told, state: cbor(states[who]) };
    if (!told.made) return { ...step, payload: null, late: null, state: cbor(states[who]) };
    const { state, content, late } = told.made;
    states[who] = state;
    return { ...step, payload: toHex(unpad(content)), late, state: cbor(state) };
  }
}

/** Two devices that begin, answer, lose and repeat as it is drawn. */
export function peer() {
  return {
    own: { a: cbor(A.own), b: cbor(B.own) },
    start: { a: cbor(peers.makePeer(B.identity, B.device)), b: cbor(peers.makePeer(A.identity, A.device)) },
    bundles: { "for a": cbor(B.bundle), "for b": cbor(A.bundle) },
    lasting: { a: cbor(A.lasting), b: cbor(B.lasting) },
    one_time: { secret: cbor(ONCE.secret), prekey: cbor(ONCE.prekey) },
    certificates: { a: toHex(A.certificate), b: toHex(B.certificate) },
    conversations: ["p", "r"].map(meeting),
  };
}

function meeting(name: string) {
  const draw = below(`meeting ${name}`);
  const people = { a: A, b: B };
  const bundles = { a: B.bundle, b: A.bundle };
  const state = { a: peers.makePeer(B.identity, B.device), b: peers.makePeer(A.identity, A.device) };
  const oneTimes = { a: new Map(), b: new Map([[ONCE.secret.id, ONCE.secret]]) };
  const envelopes: { to: Who; at: number; envelope: Uint8Array }[] = [];
  const steps: Step[] = [];
  for (let at = 0; at < MEETING; at++) {
    const who: Who = at === 0 || draw(2) ? "a" : "b";
    const index = draw(envelopes.length || 1);
    if (!peers.hasSession(state[who]) ? at === 0 || draw(3) === 0 : draw(9) === 0) begin(who, at);
    else if (peers.hasSession(state[who]) && draw(2)) seal(who, at);
    else if (envelopes[index]) open(index);
  }
  return { name, steps };

  function note(who: Who, step: Step): void {
    steps.push({ ...step, who, peer: cbor(state[who]) });
  }

  function begin(who: Who, at: number): void {
    const once = who === "a" && at === 0 ? ONCE.prekey : null;
    const [fresh, coins] = [own(`${name} ${at}`, 64), own(`${name} ${at} coins`)];
    state[who] = peers.begin(state[who], people[who].own, bundles[who], once, HOUR, drawn(fresh, coins));
    const told = { fresh: toHex(fresh), kem_coins: toHex(coins), hour: HOUR };
    note(who, { do: "begin", one_time: once !== null, ...told });
  }

  function seal(who: Who, at: number): void {
    const [fresh, payload, small] = [own(`${name} ${at}`, 80), utf8(`${name} ${at}`), draw(2) === 0];
    const size = small ? "small" : "usual";
    const sealed = peers.seal(state[who], people[who].certificate, payload, size, drawn(fresh));
    state[who] = sealed.peer;
    envelopes.push({ to: who === "a" ? "b" : "a", at: steps.length, envelope: sealed.envelope });
    const told = { payload: toHex(payload), small, fresh: toHex(fresh), envelope: toHex(sealed.envelope) };
    note(who, { do: "seal", ...told });
  }

  function open(index: number): void {
    const { to: who, at, envelope } = envelopes[index]!;
    const fresh = own(`${name} open ${steps.length}`);
    const step = { do: "open", step: at, fresh: toHex(fresh), hour: HOUR };
    const told = attempt(() => read(who, envelope, fresh));
    // What was read comes a second time now and then.
    if ("made" in told && draw(4) > 0) envelopes.splice(index, 1);
    note(who, { ...step, ...("refused" in told ? told : told.made) });
  }

  function read(who: Who, envelope: Uint8Array, fresh: Uint8Array): Step {
    const opened = peers.open(state[who], envelope, HOUR, drawn(fresh));
    if (opened) {
      state[who] = opened.peer;
      return { by: "session", payload: toHex(opened.payload) };
    }
    const initial = openFirst(people[who].own, envelope, HOUR);
    if (!initial) return { by: "nobody" };
    const secrets = { lasting: [people[who].lasting], one_time: (id: number) => oneTimes[who].get(id) };
    const taken = accept(people[who].own, initial, secrets, state[who], HOUR, drawn(fresh));
    state[who] = taken.peer;
    oneTimes[who].delete(taken.one_time_id);
    const { payload, one_time_id, mark } = taken;
    return { by: "first", payload: toHex(payload), one_time_id, mark: mark && toHex(mark) };
  }
}

export function signals() {
  const begun = peers.begin(
    peers.makePeer(B.identity, B.device),
    A.own,
    B.bundle,
    null,
    HOUR,
    drawn(own("signals", 96)),
  );
  const sealed = peers.seal(begun, A.certificate, utf8("hello"), "usual", drawn(own("signals hello", 80)));
  const initial = openFirst(B.own, sealed.envelope, HOUR)!;
  const secrets = { lasting: [B.lasting], one_time: () => undefined };
  const taken = accept(B.own, initial, secrets, null, HOUR, drawn(own("signals answer")));
  const state = { a: sealed.peer, b: taken.peer };
  const signs = (["typing", "stopped", "here"] as const).flatMap((kind) =>
    (["a", "b"] as const).map((from) => {
      const nonce = own(`signal ${from} ${kind}`, 24);
      const sent = HOUR * 3600 + 17;
      const envelope = sealSignal(state[from], { kind, sent }, drawn(nonce));
      return { from, kind, sent, nonce: toHex(nonce), envelope: toHex(envelope) };
    }),
  );
  return { peers: { a: cbor(state.a), b: cbor(state.b) }, signals: signs };
}

/** Numbers below a bound, the same in every run. */
function below(label: string): (most: number) => number {
  const bytes = own(label, 4096);
  let at = 0;
  return (most) => ((bytes[at++]! << 8) | bytes[at++]!) % most;
}
