/** What a pasted text is: an onion address, an invitation to a relay, or none of them. */
import { fromBase32 } from "./base32.ts";
import { looksLikeAddress, readAddress } from "./onion.ts";

export type Pasted =
  | { kind: "empty" }
  | { kind: "address"; address: string }
  | { kind: "invitation"; address: string; code: string }
  | { kind: "mistyped" }
  | { kind: "unknown" };

const SECRET_LETTERS = 52;

/** Recognise `text`; white space and letter case do not matter. */
export function recognise(text: string): Pasted {
  const tight = text.replace(/\s+/g, "");
  if (tight === "") return { kind: "empty" };
  const address = readAddress(tight);
  if (address) return { kind: "address", address };
  return invitation(tight) ?? (looksLikeAddress(tight) ? { kind: "mistyped" } : { kind: "unknown" });
}

/** Whether text is a reader's key: 32 bytes in base32. */
export function isReaderKey(text: string): boolean {
  return fromBase32(text.trim())?.length === 32;
}

/** Whether text is the QR code of some safety number: two identities, whoever they are. */
export function isSafetyQr(text: string): boolean {
  const [prefix, identities = ""] = text.trim().toUpperCase().split(":");
  return prefix === "ISLAND-SAFETY" && fromBase32(identities)?.length === 64;
}

function invitation(text: string): Pasted | undefined {
  const parts = text.toLowerCase().split("/");
  if (parts.length !== 2) return undefined;
  const address = readAddress(parts[0]!);
  const secret = parts[1]!;
  if (address && secret.length === SECRET_LETTERS && fromBase32(secret))
    return { kind: "invitation", address, code: `${address}/${secret}` };
  return looksLikeAddress(parts[0]!) ? { kind: "mistyped" } : undefined;
}
