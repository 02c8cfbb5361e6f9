/** Adding a device: a link (shown as QR) carries a secret in its fragment; the packet under it waits at the box. */
import * as aead from "./aead.ts";
import { fromBase64url, toBase64url } from "./base64url.ts";
import { concat } from "./bytes.ts";
import { decode, encode } from "./cbor.ts";
import { derive, domain, type Random } from "./keys.ts";
import { NAME } from "./names.ts";
import { Refusal, refusing } from "./refusal.ts";
import { bytes, map, type Read } from "./shape.ts";

const PREFIX = "#/link/";
const ID_SIZE = 16;
const SECRET_SIZE = 32;
const PACKET = map({ vault_key: bytes(32), name: NAME });

/** What the new device is told: the vault key and the account's name. */
export type Packet = Read<typeof PACKET>;

/** The fragment of the link's address; browsers do not send it to the box. */
export function linkFragment(id: Uint8Array, secret: Uint8Array): string {
  return PREFIX + toBase64url(concat(id, secret));
}

/** The packet's id and the secret in a fragment; Refusal malformed. */
export function readLink(fragment: string): { id: Uint8Array; secret: Uint8Array } {
  const all = fragment.startsWith(PREFIX) ? fromBase64url(fragment.slice(PREFIX.length)) : undefined;
  if (all?.length !== ID_SIZE + SECRET_SIZE) throw new Refusal("malformed");
  return { id: all.slice(0, ID_SIZE), secret: all.slice(ID_SIZE) };
}

/** The packet that waits at the box under `id`. */
export function sealLink(id: Uint8Array, secret: Uint8Array, packet: Packet, random: Random): Uint8Array {
  return aead.seal(derive(secret, "link"), concat(domain("link"), id), encode(packet), random);
}

/** What is in a packet; Refusal not_opened. */
export function openLink(id: Uint8Array, secret: Uint8Array, packet: Uint8Array): Packet {
  const content = aead.mustOpen(derive(secret, "link"), concat(domain("link"), id), packet);
  return refusing("not_opened", () => PACKET(decode(content)));
}
