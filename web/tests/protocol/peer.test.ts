/** Two devices: sessions that begin, answer, are forgotten and begun anew. */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { describe, expect, test } from "vitest";
import { concat, toHex, utf8 } from "../../src/protocol/bytes.ts";
import { decode, encode } from "../../src/protocol/cbor.ts";
import type { Bundle, OneTimePrekey } from "../../src/protocol/directory.ts";
import { accept, openFirst, remember, type PrekeySecrets, type Replays } from "../../src/protocol/first.ts";
import { agree, agreementPublic, domain, encapsulate, hkdf } from "../../src/protocol/keys.ts";
import { pad } from "../../src/protocol/envelope.ts";
import * as peers from "../../src/protocol/peer.ts";
import { kemKey, type OwnDevice } from "../../src/protocol/pqxdh.ts";
import type { LastingSecret, OneTimeSecret } from "../../src/protocol/prekeys.ts";
import { openSignal, sealSignal } from "../../src/protocol/signals.ts";
import { drawn, hex, refusalOf, seed, seeded, vectors } from "../vectors.ts";

type Who = "a" | "b";
interface Step {
  do: "begin" | "seal" | "open" | "forget";
  who: Who;
  fresh: string;
  hour: number;
  peer: string;
  one_time: boolean;
  kem_coins: string;
  payload: string;
  small: boolean;
  envelope: string;
  step: number;
  by?: "session" | "first" | "nobody";
  one_time_id?: number;
  mark?: string | null;
  refused?: string;
}
interface Meetings {
  own: Record<Who, string>;
  start: Record<Who, string>;
  bundles: { "for a": string; "for b": string };
  lasting: Record<Who, string>;
  one_time: { secret: string; prekey: string };
  certificates: Record<Who, string>;
  first_room: Record<string, number>;
  conversations: { name: string; steps: Step[] }[];
}
interface Signals {
  peers: Record<Who, string>;
  signals: {
    from: Who;
    kind: "typing" | "stopped" | "here";
    sent: number;
    nonce: string;
    envelope: string;
  }[];
  not_opened: string[];
}
const file = vectors<Meetings>("peer");
const struct = <T>(cbor: string) => decode(hex(cbor)) as T;
const own = { a: struct<OwnDevice>(file.own.a), b: struct<OwnDevice>(file.own.b) };
const bundles = { a: struct<Bundle>(file.bundles["for a"]), b: struct<Bundle>(file.bundles["for b"]) };
const lasting = { a: struct<LastingSecret>(file.lasting.a), b: struct<LastingSecret>(file.lasting.b) };
const oneTime = struct<OneTimeSecret>(file.one_time.secret);
const prekey = struct<OneTimePrekey>(file.one_time.prekey);
const certificates = { a: hex(file.certificates.a), b: hex(file.certificates.b) };
const HOUR = 498_000;

/** A device with all it keeps. */
interface Side {
  who: Who;
  peer: peers.Peer;
  oneTimes: Map<number, OneTimeSecret>;
}

function sides(): Record<Who, Side> {
  const side = (who: Who, secrets: OneTimeSecret[]): Side => ({
    who,
    peer: peers.readPeer(decode(hex(file.start[who]))),
    oneTimes: new Map(secrets.map((one) => [one.id, one])),
  });
  return { a: side("a", []), b: side("b", [oneTime]) };
}

function secretsOf(side: Side): PrekeySecrets {
  return { lasting: [lasting[side.who]], one_time: (id) => side.oneTimes.get(id) };
}

/** Open an envelope as a client does: sessions first, then as a first envelope. */
function receive(side: Side, envelope: Uint8Array, hour: number, random: (n: number) => Uint8Array) {
  const opened = peers.open(side.peer, envelope, hour, random);
  if (opened) {
    side.peer = opened.peer;
    return { by: "session", payload: opened.payload };
  }
  const initial = openFirst(own[side.who], envelope, hour);
  if (!initial) return { by: "nobody" };
  const accepted = accept(own[side.who], initial, secretsOf(side), side.peer, hour, random);
  side.peer = accepted.peer;
  side.oneTimes.delete(accepted.one_time_id);
  const { payload, one_time_id, mark } = accepted;
  return { by: "first", payload, one_time_id, mark };
}

describe.each(file.conversations)("$name", ({ steps }) => {
  const both = sides();
  const envelopes = new Map<number, Uint8Array>();

  test.each(steps.map((step, at) => ({ at, ...step })))("$at: $who $do", (step) => {
    const side = both[step.who];
    const random = drawn(hex(step.fresh ?? ""));
    if (step.do === "begin") {
      const given = step.one_time ? prekey : null;
      const kem = encapsulate(kemKey(bundles[step.who], given), hex(step.kem_coins));
      const fresh = { ephemeral: random(32), pair: random(32), kem };
      side.peer = peers.beginWith(side.peer, own[step.who], bundles[step.who], given, step.hour, fresh);
    } else if (step.do === "seal") {
      const size = step.small ? "small" : "usual";
      const sealed = peers.seal(side.peer, certificates[step.who], hex(step.payload), size, random);
      expect(toHex(sealed.envelope)).toBe(step.envelope);
      side.peer = sealed.peer;
      envelopes.set(step.at, sealed.envelope);
    } else if (step.do === "open") open(side, step);
    else side.peer = peers.readPeer(decode(hex(step.peer)));
    expect(toHex(encode(side.peer))).toBe(step.peer);
    expect(peers.readPeer(decode(encode(side.peer)))).toEqual(side.peer);
  });

  function open(side: Side, step: Step): void {
    const read = () => receive(side, envelopes.get(step.step)!, step.hour, drawn(hex(step.fresh)));
    if (step.refused) {
      expect(refusalOf(read)).toBe(step.refused);
      return;
    }
    const told = read();
    expect(told.by).toBe(step.by);
    expect(told.payload && toHex(told.payload)).toBe(step.payload);
    if (told.by !== "first") return;
    expect([told.one_time_id, told.mark ? toHex(told.mark) : null]).toEqual([step.one_time_id, step.mark]);
  }
});

describe("sizes", () => {
  const random = seeded("sizes");
  const begun = peers.begin(sides().a.peer, own.a, bundles.a, prekey, HOUR, random);

  test.each(Object.entries(file.first_room))("a first envelope of %s has room for %i", (size, room) => {
    const sealed = peers.seal(begun, certificates.a, new Uint8Array(room), "usual", random);
    expect(sealed.envelope).toHaveLength(Number(size));
  });

  test("a first envelope is never small, and has an end", () => {
    expect(peers.seal(begun, certificates.a, utf8("x"), "small", random).envelope).toHaveLength(4032);
    const long = new Uint8Array(15_000);
    expect(refusalOf(() => peers.seal(begun, certificates.a, long, "usual", random))).toBe("wrong_size");
  });

  test("rooms of a session", () => {
    const both = talked(random);
    const size = (length: number, kind: "small" | "usual") =>
      peers.seal(both.a.peer, certificates.a, new Uint8Array(length), kind, random).envelope.length;
    expect([size(0, "small"), size(peers.SMALL_ROOM, "small"), size(peers.SMALL_ROOM + 1, "small")]).toEqual([
      960, 960, 4032,
    ]);
    expect([size(0, "usual"), size(peers.USUAL_ROOM, "usual"), size(peers.USUAL_ROOM + 1, "usual")]).toEqual([
      4032, 4032, 16_320,
    ]);
    expect(size(peers.LARGE_ROOM, "usual")).toBe(16_320);
    expect(refusalOf(() => size(peers.LARGE_ROOM + 1, "usual"))).toBe("wrong_size");
  });

  test("nothing is sent without a session", () => {
    const { a } = sides();
    expect(peers.hasSession(a.peer)).toBe(false);
    const seal = () => peers.seal(a.peer, certificates.a, utf8("x"), "usual", random);
    expect(refusalOf(seal)).toBe("wrong_state");
  });
});

/** Both sides after a first message and its answer. */
function talked(random: (n: number) => Uint8Array): Record<Who, Side> {
  const both = sides();
  both.a.peer = peers.begin(both.a.peer, own.a, bundles.a, prekey, HOUR, random);
  for (const [from, to] of [
    ["a", "b"],
    ["b", "a"],
  ] as const) {
    const sealed = peers.seal(both[from].peer, certificates[from], utf8("hello"), "usual", random);
    both[from].peer = sealed.peer;
    receive(both[to], sealed.envelope, HOUR, random);
  }
  return both;
}

describe("chance meetings", () => {
  test.each(Array.from({ length: 8 }, (_, at) => at))("run %i: new sessions, loss, repeats", (run) => {
    const random = seeded(`meeting ${run}`);
    const below = (most: number) => random(1)[0]! % most;
    const both = sides();
    const way: { to: Who; text: string; envelope: Uint8Array; read: boolean }[] = [];
    for (let step = 0; step < 40; step++) {
      const who: Who = below(2) ? "a" : "b";
      const act = below(10);
      const side = both[who];
      if (!peers.hasSession(side.peer) || act === 0) {
        const given = who === "a" && step < 3 ? prekey : null;
        side.peer = peers.begin(side.peer, own[who], bundles[who], given, HOUR, random);
      } else if (act < 5) {
        const text = `${who} ${step}`;
        const sealed = peers.seal(
          side.peer,
          certificates[who],
          utf8(text),
          below(2) ? "small" : "usual",
          random,
        );
        side.peer = sealed.peer;
        way.push({ to: who === "a" ? "b" : "a", text, envelope: sealed.envelope, read: false });
      } else deliver(below(way.length || 1));
    }
    way.forEach((_, at) => deliver(at));
    expect(way.some((one) => one.read)).toBe(true);

    function deliver(at: number): void {
      const one = way[at];
      if (!one) return;
      const before = encode(both[one.to].peer);
      const code = refusalOf(() => {
        const told = receive(both[one.to], one.envelope, HOUR, random);
        if (told.by === "nobody") expect(encode(both[one.to].peer)).toEqual(before);
        else {
          expect(new TextDecoder().decode(told.payload)).toBe(one.text);
          expect(one.read).toBe(false);
          one.read = true;
        }
      });
      // Repeats are refused; so is what belongs to a one-time prekey that is used up, or a fifth session.
      if (code !== "none") expect(["repeated", "out_of_step"]).toContain(code);
      if (code !== "none") expect(encode(both[one.to].peer)).toEqual(before);
      expect(both[one.to].peer.sessions.length).toBeLessThanOrEqual(5);
    }
  });

  test("changed envelopes never open, and change nothing", () => {
    const random = seeded("wrong");
    const both = sides();
    both.a.peer = peers.begin(both.a.peer, own.a, bundles.a, prekey, HOUR, random);
    const first = peers.seal(both.a.peer, certificates.a, utf8("hello"), "usual", random).envelope;
    const known = talked(random);
    const later = peers.seal(known.a.peer, certificates.a, utf8("hello"), "usual", random).envelope;
    for (const [side, envelope] of [
      [both.b, first],
      [known.b, later],
    ] as const) {
      const before = encode(side.peer);
      for (let run = 0; run < 60; run++) {
        const wrong = envelope.slice();
        const at = ((random(1)[0]! << 8) | random(1)[0]!) % wrong.length;
        wrong[at]! ^= 1 << (random(1)[0]! & 7);
        const code = refusalOf(() => expect(receive(side, wrong, HOUR, random).by).toBe("nobody"));
        expect(["none", "bad_message", "unknown_version"]).toContain(code);
        expect(encode(side.peer)).toEqual(before);
      }
      expect(receive(side, envelope, HOUR, random).by).not.toBe("nobody");
    }
  });
});

describe("first messages that must not be taken", () => {
  const random = seeded("first");
  const begun = peers.begin(sides().a.peer, own.a, bundles.a, null, HOUR, random);
  const { envelope } = peers.seal(begun, certificates.a, utf8("hello"), "usual", random);
  const initial = openFirst(own.b, envelope, HOUR)!;
  const take = (secrets: PrekeySecrets, peer: peers.Peer | null = null) =>
    accept(own.b, initial, secrets, peer, HOUR, random);

  test("for another device", () => {
    expect(openFirst(own.a, envelope, HOUR)).toBeUndefined();
  });

  test("with a certificate that has ended", () => {
    expect(refusalOf(() => openFirst(own.b, envelope, HOUR + 170))).toBe("bad_message");
  });

  test("to a prekey that is gone", () => {
    const none: PrekeySecrets = { lasting: [], one_time: () => undefined };
    expect(refusalOf(() => take(none))).toBe("out_of_step");
  });

  test("from a device whose keys are others than those known", () => {
    const { b } = sides();
    for (const wrong of [{ identity: seed("x") }, { device: seed("x", 16) }, { agreement: seed("x") }])
      expect(refusalOf(() => take(secretsOf(b), { ...b.peer, ...wrong }))).toBe("bad_message");
  });

  test("a stranger's message makes a peer; the last resort leaves a mark", () => {
    const accepted = take(secretsOf(sides().b));
    expect(accepted.peer.identity).toEqual(own.a.identity);
    expect(accepted.one_time_id).toBe(0);
    const marks = remember([], accepted.mark!, HOUR);
    expect(refusalOf(() => remember(marks, accepted.mark!, HOUR + 1))).toBe("repeated");
  });

  test("whatever a stranger puts inside, it is a refusal", () => {
    const ephemeral = agreementPublic(seed("layer"));
    const head = concat(Uint8Array.of(1), ephemeral);
    const their = agreementPublic(own.b.agreement);
    const info = concat(domain("first"), ephemeral, their);
    const key = hkdf(agree(seed("layer"), their), new Uint8Array(), info, 32);
    const wrap = (content: Uint8Array) => {
      const padded = pad(content, 4032 - 33 - 16);
      return concat(head, xchacha20poly1305(key, new Uint8Array(24), head).encrypt(padded));
    };
    const { certificate: _, ...rest } = initial;
    const good = { ...rest, certificate: certificates.a };
    expect(openFirst(own.b, wrap(encode(good)), HOUR)).toEqual(initial);
    const values = [
      undefined,
      null,
      0,
      -1,
      2 ** 32,
      2n ** 60n,
      "x",
      seed("x"),
      seed("y", 200),
      [],
      {},
      utf8(""),
    ];
    for (const name of [...Object.keys(good), "more"])
      for (const value of values) {
        const code = refusalOf(() => {
          const opened = openFirst(own.b, wrap(encode({ ...good, [name]: value })), HOUR)!;
          accept(own.b, opened, secretsOf(sides().b), null, HOUR, random);
        });
        // Left out, a field that is not there is as it should be.
        const same = name === "more" && value === undefined;
        if (same || (name === "one_time_id" && value === 0)) expect(code).toBe("none");
        else expect(["bad_message", "out_of_step"]).toContain(code);
      }
    expect(refusalOf(() => openFirst(own.b, wrap(seed("noise", 900)), HOUR))).toBe("bad_message");
  });

  test("marks go when they are old or too many", () => {
    let marks: Replays = [];
    for (let at = 0; at < 2050; at++) marks = remember(marks, seed(`mark ${at}`), HOUR);
    expect(marks).toHaveLength(2048);
    expect(remember(marks, seed("later"), HOUR + 38 * 24)).toHaveLength(1);
    expect(remember(marks, seed("later"), HOUR + 38 * 24 - 1)).toHaveLength(2048);
  });

  test("a bundle of another device begins nothing", () => {
    const begin = () => peers.begin(sides().a.peer, own.a, bundles.b, null, HOUR, random);
    expect(refusalOf(begin)).toBe("bad_bundle");
  });
});

describe("stored peers", () => {
  test("of a newer version, or with something else in them", () => {
    const stored = decode(hex(file.start.a)) as Record<string, unknown>;
    expect(refusalOf(() => peers.readPeer({ ...stored, version: 2 } as never))).toBe("unknown_version");
    expect(refusalOf(() => peers.readPeer({ ...stored, more: 1 } as never))).toBe("malformed");
  });
});

describe("signals", () => {
  const signals = vectors<Signals>("signals");
  const known = {
    a: peers.readPeer(decode(hex(signals.peers.a))),
    b: peers.readPeer(decode(hex(signals.peers.b))),
  };

  test.each(signals.signals)("$kind from $from", ({ from, kind, sent, nonce, envelope }) => {
    const to = from === "a" ? "b" : "a";
    expect(sealSignal(known[from], { kind, sent }, drawn(hex(nonce)))).toEqual(hex(envelope));
    for (const off of [-60, 0, 60])
      expect(openSignal(known[to], hex(envelope), sent + off)).toEqual({ kind, sent });
    for (const off of [-61, 61])
      expect(refusalOf(() => openSignal(known[to], hex(envelope), sent + off))).toBe("bad_message");
    expect(openSignal(known[from], hex(envelope), sent)).toBeUndefined();
  });

  test.each(signals.not_opened)("no signal %#", (envelope) => {
    expect(openSignal(known.a, hex(envelope), 0)).toBeUndefined();
    expect(openSignal(known.b, hex(envelope), 0)).toBeUndefined();
  });

  test("none without a session", () => {
    const sign = { kind: "typing", sent: 1 } as const;
    expect(refusalOf(() => sealSignal(sides().a.peer, sign, seeded("s")))).toBe("wrong_state");
  });
});
