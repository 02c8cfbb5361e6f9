/** Ids of boards, threads and posts as they stand in addresses: base64url. */
import { fromBase64url } from "../../protocol/base64url.ts";

/** The octets of a key; none when it is no key, which the box then refuses. */
export function octetsOf(key: string): Uint8Array {
  return fromBase64url(key) ?? new Uint8Array();
}
