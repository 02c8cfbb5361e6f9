/** Reading an address that somebody typed, pasted or scanned. */
import { looksLikeAddress, readAddress } from "../../protocol/onion.ts";

const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?$/;

export type ReadAddress =
  { kind: "empty" } | { kind: "good"; address: string } | { kind: "mistyped" } | { kind: "bad" };

/** `name@….onion`, also with spaces, capitals or a line break in it. */
export function readPerson(text: string): ReadAddress {
  const plain = text
    .replace(/\s+/g, "")
    .toLowerCase()
    .replace(/^island:/, "");
  if (plain === "") return { kind: "empty" };
  const [name = "", onion = "", more] = plain.split("@");
  if (more !== undefined || !NAME.test(name) || onion === "") return { kind: "bad" };
  const found = readAddress(onion.endsWith(".onion") ? onion : `${onion}.onion`);
  if (found) return { kind: "good", address: `${name}@${found}` };
  return { kind: looksLikeAddress(onion) ? "mistyped" : "bad" };
}
