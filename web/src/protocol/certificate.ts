/** The sender's certificate: the account's word that a device is its own, carried inside what the device sends. */
import { NAME } from "./names.ts";
import { Refusal } from "./refusal.ts";
import { bytes, integer, map, type Read } from "./shape.ts";
import * as signed from "./signed.ts";
import { isPrimeOrder, signingPublic } from "./keys.ts";

/** Hours a certificate may live. */
export const MAX_LIFE = 168;
/** Hours after its end in which it is still read, and by which its beginning may lie ahead of a reader's clock. */
const GRACE = 1;
const AHEAD = 24;
/** Octets of a signed certificate. */
export const MAX_CERTIFICATE = 512;
const CONTEXT = "sender";

const CERTIFICATE = map({
  version: integer(signed.VERSION, signed.VERSION),
  name: NAME,
  onion: bytes(32),
  identity: bytes(32),
  device: bytes(16),
  agreement: bytes(32),
  issued_hour: integer(0, 0xffff_ffff),
  expires_hour: integer(0, 0xffff_ffff),
});

/** Who a message is from. */
export type Certificate = Read<typeof CERTIFICATE>;

/** A certificate signed by the account's identity. */
export function makeCertificate(
  identitySeed: Uint8Array,
  about: Omit<Certificate, "version" | "identity">,
): Uint8Array {
  const certificate = { version: signed.VERSION, identity: signingPublic(identitySeed), ...about };
  return signed.write(identitySeed, CONTEXT, CERTIFICATE(certificate));
}

/**
 * The certificate in these bytes, good in this hour; Refusal bad_message.
 *
 * `hour` is that of the message's arrival at the box or relay: it may have waited there for long.
 */
export function readCertificate(data: Uint8Array, hour: number): Certificate {
  if (data.length > MAX_CERTIFICATE) throw new Refusal("bad_message");
  const certificate = readSigned(data);
  if (!isPrimeOrder(certificate.onion)) throw new Refusal("bad_message");
  const { issued_hour: issued, expires_hour: expires } = certificate;
  const lives = expires > issued && expires - issued <= MAX_LIFE;
  if (!lives || hour > expires + GRACE || issued > hour + AHEAD) throw new Refusal("bad_message");
  return certificate;
}

function readSigned(data: Uint8Array): Certificate {
  try {
    return signed.read(data, CONTEXT, CERTIFICATE, (value) => value.identity, "bad_message");
  } catch {
    // A message cannot be shown without its sender, newer or not.
    throw new Refusal("bad_message");
  }
}
