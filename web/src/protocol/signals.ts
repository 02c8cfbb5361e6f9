/** Passing signals (typing, here): sealed under a session's own keys, read at once or never. */
import * as aead from "./aead.ts";
import { concat } from "./bytes.ts";
import { decode, encode } from "./cbor.ts";
import { VERSION, pad, unpad } from "./envelope.ts";
import type { Random } from "./keys.ts";
import type { Peer } from "./peer.ts";
import { Refusal, refusing } from "./refusal.ts";
import { integer, map, oneOf, type Read } from "./shape.ts";

export const SIGNAL_SIZE = 960;
const OVERHEAD = 1 + aead.NONCE_SIZE + aead.TAG_SIZE;
/** Seconds after which a signal says nothing any more, and by which clocks may differ. */
const MAX_AGE = 60;

const SIGNAL = map({ kind: oneOf("typing", "stopped", "here"), sent: integer(0) });

/** What somebody is doing, and the second at which they were. */
export type Sign = Read<typeof SIGNAL>;

/** An envelope of 960 octets; Refusal wrong_state without a session. */
export function sealSignal(peer: Peer, sign: Sign, random: Random): Uint8Array {
  const session = peer.sessions[0];
  if (!session) throw new Refusal("wrong_state");
  const content = pad(encode(sign), SIGNAL_SIZE - OVERHEAD);
  return concat(
    Uint8Array.of(VERSION),
    aead.seal(session.signals_out, session.ratchet.associated, content, random),
  );
}

/** The signal in an envelope of this peer's, undefined when it is not; Refusal bad_message when it is too old. */
export function openSignal(peer: Peer, envelope: Uint8Array, now: number): Sign | undefined {
  if (envelope.length !== SIGNAL_SIZE || envelope[0] !== VERSION) return undefined;
  for (const { signals_in, ratchet } of peer.sessions) {
    const content = aead.open(signals_in, ratchet.associated, envelope.subarray(1));
    if (!content) continue;
    const sign = refusing("bad_message", () => SIGNAL(decode(unpad(content))));
    if (Math.abs(now - sign.sent) > MAX_AGE) throw new Refusal("bad_message");
    return sign;
  }
  return undefined;
}
