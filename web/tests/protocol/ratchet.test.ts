import { describe, expect, test } from "vitest";
import { toHex } from "../../src/protocol/bytes.ts";
import { decode, encode, type Value } from "../../src/protocol/cbor.ts";
import { pad, unpad } from "../../src/protocol/envelope.ts";
import { agreementPublic, derive, mac } from "../../src/protocol/keys.ts";
import type { Agreed } from "../../src/protocol/pqxdh.ts";
import * as ratchet from "../../src/protocol/ratchet.ts";
import { MAX_KEPT } from "../../src/protocol/skipped.ts";
import { drawn, hex, refusalOf, seed, seeded, vectors } from "../vectors.ts";

interface Step {
  do: "send" | "receive";
  who: "a" | "b";
  fresh: string;
  message: string;
  state: string;
  hour: number;
  payload?: string | null;
  late?: boolean | null;
  refused?: string;
}
interface Talks {
  size: number;
  conversations: { name: string; start: { a: string; b: string }; steps: Step[] }[];
  kdf: { chain: string; next: [string, string]; message_key: string };
}
const file = vectors<Talks>("ratchet");
const HOUR = 498_000;

const agreed: Agreed = {
  root: seed("root"),
  initiator_header: seed("header a"),
  responder_header: seed("header b"),
  initiator_signals: seed("x"),
  responder_signals: seed("y"),
  associated: seed("associated"),
};

function start(): { a: ratchet.State; b: ratchet.State } {
  const prekey = seed("bob ratchet");
  return {
    a: ratchet.beginAsInitiator(agreed, agreementPublic(prekey), seed("alice ratchet")),
    b: ratchet.beginAsResponder(agreed, prekey),
  };
}

test("the first states, and the steps of a chain", () => {
  const { a, b } = start();
  const { start: first } = file.conversations[0]!;
  expect([toHex(encode(a)), toHex(encode(b))]).toEqual([first.a, first.b]);
  const chain = hex(file.kdf.chain);
  const [next, key] = [mac(chain, Uint8Array.of(2)), mac(chain, Uint8Array.of(1))];
  expect([next, key]).toEqual(file.kdf.next.map(hex));
  expect(derive(key, "message")).toEqual(hex(file.kdf.message_key));
});

describe.each(file.conversations)("$name", ({ start, steps }) => {
  const states = { a: decode(hex(start.a)) as Value, b: decode(hex(start.b)) as Value } as unknown as {
    a: ratchet.State;
    b: ratchet.State;
  };

  // In order: each step goes on from the state of the last.
  test.each(steps.map((step, at) => ({ at, ...step })))("$at: $who $do", (step) => {
    const before = states[step.who];
    const bytes = encode(before);
    if (step.do === "send") {
      const payload = pad(hex(step.payload!), file.size);
      // Made ahead or not, the keys are the same.
      if (step.at % 2) ratchet.prepare(before);
      const sealed = ratchet.encrypt(before, payload, drawn(hex(step.fresh)));
      expect(toHex(sealed.message)).toBe(step.message);
      states[step.who] = sealed.state;
    } else {
      const open = () => ratchet.decrypt(before, hex(step.message), step.hour, drawn(hex(step.fresh)));
      expect(refusalOf(open)).toBe(step.refused ?? "none");
      const opened = step.refused ? undefined : open();
      expect(opened ? toHex(unpad(opened.content)) : null).toBe(step.payload ?? null);
      expect(opened?.late ?? null).toBe(step.late ?? null);
      if (opened) states[step.who] = opened.state;
    }
    expect(toHex(encode(states[step.who]))).toBe(step.state);
    // The state that went in is as it was.
    expect(encode(before)).toEqual(bytes);
  });
});

test("keys that were made ahead serve one message, and no two messages look alike", () => {
  const random = seeded("ahead");
  const { a, b } = start();
  const content = pad(new TextEncoder().encode("once"), 40);
  ratchet.prepare(a);
  ratchet.prepare(a);
  const first = ratchet.encrypt(a, content, random);
  const again = ratchet.encrypt(a, content, random);
  expect(again.state).toEqual(first.state);
  expect(again.message).not.toEqual(first.message);
  ratchet.prepare(first.state);
  const second = ratchet.encrypt(first.state, content, random);
  const third = ratchet.encrypt(second.state, content, random);
  let reader = b;
  for (const { message } of [first, second, third]) {
    const opened = ratchet.decrypt(reader, message, HOUR, random)!;
    expect(opened.content).toEqual(content);
    reader = opened.state;
  }
  expect(refusalOf(() => ratchet.decrypt(reader, again.message, HOUR, random))).toBe("repeated");
});

test("nothing is made ahead where nothing can be sent", () => {
  const { b } = start();
  ratchet.prepare(b);
  expect(refusalOf(() => ratchet.encrypt(b, new Uint8Array(40), seeded("none")))).toBe("wrong_state");
});

describe("any order, loss and repeats", () => {
  const payload = (text: string) => pad(new TextEncoder().encode(text), 40);

  test.each(Array.from({ length: 12 }, (_, at) => at))("run %i", (run) => {
    const random = seeded(`order ${run}`);
    const below = (most: number) => random(1)[0]! % most;
    const states = start();
    const way: { to: "a" | "b"; text: string; message: Uint8Array }[] = [];
    const read = new Set<string>();
    let sent = 0;
    for (let step = 0; step < 90; step++) {
      const who = below(2) ? "a" : "b";
      if (below(2) && states[who].send) {
        const text = `${who} ${sent++}`;
        const sealed = ratchet.encrypt(states[who], payload(text), random);
        states[who] = sealed.state;
        if (below(8) > 0) way.push({ to: who === "a" ? "b" : "a", text, message: sealed.message });
        continue;
      }
      const one = way[below(way.length || 1)];
      if (!one) continue;
      const open = () => ratchet.decrypt(states[one.to], one.message, HOUR, random);
      if (read.has(one.text)) {
        // Its key is gone; with the last of a chain's keys its header key goes too.
        const code = refusalOf(() => expect(open()).toBeUndefined());
        expect(["repeated", "none"]).toContain(code);
        continue;
      }
      const opened = open()!;
      expect(new TextDecoder().decode(unpad(opened.content))).toBe(one.text);
      states[one.to] = opened.state;
      read.add(one.text);
    }
    // Whatever is still on the way can be read.
    for (const one of way.filter((each) => !read.has(each.text))) {
      const opened = ratchet.decrypt(states[one.to], one.message, HOUR, random)!;
      states[one.to] = opened.state;
    }
    expect(read.size).toBeGreaterThan(5);
  });

  test("changed messages end in a refusal or in nothing, and change nothing", () => {
    const random = seeded("changed");
    const { a, b } = start();
    const first = ratchet.encrypt(a, payload("one"), random);
    const second = ratchet.encrypt(first.state, payload("two"), random);
    const after = ratchet.decrypt(b, second.message, HOUR, random)!.state;
    for (const [state, message] of [
      [b, first.message],
      [after, first.message],
    ] as const) {
      const bytes = encode(state);
      for (let at = 0; at < message.length; at += 3) {
        const wrong = message.slice();
        wrong[at]! ^= 1 << (at & 7);
        const code = refusalOf(() => expect(ratchet.decrypt(state, wrong, HOUR, random)).toBeUndefined());
        expect(code).toBe(at < ratchet.HEADER_SIZE ? "none" : "bad_message");
      }
      expect(encode(state)).toEqual(bytes);
      expect(ratchet.decrypt(state, message, HOUR, random)).toBeDefined();
    }
  });

  test("at most a thousand are skipped at once, and two thousand kept", () => {
    const random = seeded("many");
    let { a, b } = start();
    const texts: Uint8Array[] = [];
    for (let number = 0; number <= 1001; number++) {
      const sealed = ratchet.encrypt(a, payload(String(number)), random);
      [a, texts[number]] = [sealed.state, sealed.message];
    }
    expect(refusalOf(() => ratchet.decrypt(b, texts[1001]!, HOUR, random))).toBe("out_of_step");
    b = ratchet.decrypt(b, texts[1000]!, HOUR, random)!.state;
    expect(b.kept.reduce((sum, chain) => sum + chain.keys.length, 0)).toBe(1000);
    for (let turn = 0; turn < 2; turn++) {
      const answer = ratchet.encrypt(b, payload("answer"), random);
      b = answer.state;
      a = ratchet.decrypt(a, answer.message, HOUR, random)!.state;
      for (let number = 0; number < 700; number++) a = ratchet.encrypt(a, payload("lost"), random).state;
      const late = ratchet.encrypt(a, payload("late"), random);
      a = late.state;
      b = ratchet.decrypt(b, late.message, HOUR + turn, random)!.state;
    }
    expect(b.kept.reduce((sum, chain) => sum + chain.keys.length, 0)).toBe(MAX_KEPT);
    // The oldest went: of the first chain the last 600 of a thousand are left.
    expect(ratchet.decrypt(b, texts[999]!, HOUR, random)?.late).toBe(true);
    expect(refusalOf(() => ratchet.decrypt(b, texts[399]!, HOUR, random))).toBe("repeated");
  });
});
