/**
 * Typed text that is never lost: it is stored at every key stroke and goes when it was sent or at sign-out.
 * It lies in this browser's storage, not in the box; passphrases and keys are never drafts.
 */

const PREFIX = "island.draft.";

/** One remembered text. */
export class Draft {
  #text = $state("");

  constructor(private readonly name: string) {
    this.#text = read(PREFIX + name);
  }

  get text(): string {
    return this.#text;
  }

  set text(text: string) {
    this.#text = text;
    write(PREFIX + this.name, text);
  }

  /** Sent or thrown away: forget it. */
  clear(): void {
    this.text = "";
  }
}

/** Forget every draft of this browser. */
export function forgetDrafts(): void {
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith(PREFIX)) localStorage.removeItem(key);
    sessionStorage.clear();
  } catch {
    // Storage is switched off: there is nothing to forget.
  }
}

/** Stored text, or "" where there is none or storage is switched off. */
export function read(key: string): string {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

/** Store text, or remove it when empty; without storage it lives as long as the page. */
export function write(key: string, text: string): void {
  try {
    if (text === "") localStorage.removeItem(key);
    else localStorage.setItem(key, text);
  } catch {
    // Storage is full or switched off; the text is still on the screen.
  }
}
