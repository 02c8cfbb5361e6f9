/** Names of accounts and whole addresses: `ada@<onion>`. */
import { publicKey } from "./onion.ts";
import { text } from "./shape.ts";

const PATTERN = /^[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?$/;

/** Reads an account's name. */
export const NAME = text(32, 1, PATTERN);

/** A person's address taken apart. */
export interface Address {
  name: string;
  host: string;
  onion: Uint8Array;
}

/** The address in its one spelling, taken apart; undefined when it is none or has a typing error in it. */
export function readPerson(typed: string): Address | undefined {
  const tight = typed.trim().toLowerCase().replace(/\s+/g, "");
  const at = tight.indexOf("@");
  const name = tight.slice(0, at);
  const host = tight.slice(at + 1);
  const onion = at > 0 && PATTERN.test(name) ? publicKey(host) : undefined;
  return onion && { name, host, onion };
}
