/** Randomness of the browser, for the protocol that has none of its own. */

/** `octets` random bytes. */
export function random(octets: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(octets));
}
