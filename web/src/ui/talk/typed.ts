/**
 * What is being typed, kept in this tab at every key stroke: a reload loses nothing. The engine keeps it in the
 * archive a moment later. It goes when it was sent, at sign-out, and with the tab.
 */

const PREFIX = "island.typed.";

/** What this tab keeps for a conversation; "" for nothing. */
export function typedIn(conversation: string): string {
  try {
    return sessionStorage.getItem(PREFIX + conversation) ?? "";
  } catch {
    return "";
  }
}

/** Keep `text`, or nothing any more when it is empty. */
export function keepTyped(conversation: string, text: string): void {
  try {
    if (text === "") sessionStorage.removeItem(PREFIX + conversation);
    else sessionStorage.setItem(PREFIX + conversation, text);
  } catch {
    // Storage is switched off; the text is still on the screen.
  }
}
