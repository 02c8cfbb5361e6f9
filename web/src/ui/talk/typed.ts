/**
 * What is being typed, kept in this tab at every key stroke: a reload loses nothing. The engine keeps it in the
 * archive a moment later. It goes when it was sent, at sign-out, and with the tab.
 */

const PREFIX = "island.typed.";
/** Milliseconds after which whoever sends has kept what was said (`unsent.ts`). */
const KEPT_AFTER = 200;
/** What this page has just sent, by conversation: only another page may find it in the field again. */
const sent = new Map<string, string>();

/** What this tab keeps for a conversation; "" for nothing. */
export function typedIn(conversation: string): string {
  const text = read(conversation);
  return text === sent.get(conversation) ? "" : text;
}

function read(conversation: string): string {
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

/** It was sent: should this page die at this moment, the next one finds it in the field again. */
export function sendTyped(conversation: string): void {
  const text = read(conversation);
  sent.set(conversation, text);
  setTimeout(() => {
    if (sent.get(conversation) === text) sent.delete(conversation);
    if (read(conversation) === text) keepTyped(conversation, "");
  }, KEPT_AFTER);
}
