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

/** Code points of the name a person goes by, and of a file's. */
export const MAX_NAME = 64;
export const MAX_FILE_NAME = 255;
const MAX_ENDING = 16;

/**
 * Controls, separators of lines, and the marks that turn the direction of text around: with these "exe.gnp" can
 * be shown as "png.exe". Joiners stay: several scripts and many emoji need them.
 */
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
/** White space at an end; the mark of byte order is none. */
const ENDS = /^[^\S\ufeff]+|[^\S\ufeff]+$/g;

/** Whether a name is short enough and holds nothing invisible that could deceive. */
export function isPlain(name: string, most = MAX_NAME): boolean {
  return [...name].length <= most && name.search(CONTROLS) < 0;
}

/** The last part of a path without controls, at most 255 characters; "file" when nothing is left. */
export function cleanFileName(name: string): string {
  const last = name.replace(CONTROLS, "").split(/[/\\]/).at(-1)!.replace(ENDS, "");
  if (["", ".", ".."].includes(last)) return "file";
  const letters = [...last];
  if (letters.length <= MAX_FILE_NAME) return last;
  const dot = letters.lastIndexOf(".");
  const ending = letters.slice(dot + 1);
  if (dot < 0 || ending.length > MAX_ENDING) return letters.slice(0, MAX_FILE_NAME).join("");
  const stem = letters.slice(0, dot).slice(0, MAX_FILE_NAME - 1 - ending.length);
  return [...stem, ".", ...ending].join("");
}
