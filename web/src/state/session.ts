/** What the page follows while it is open, and what it forgets when one signs out. */
import { listen, renewBy, translate } from "./api.ts";
import { news } from "./boards/news.svelte.ts";
import { forget } from "./box.ts";
import { forgetDrafts } from "./drafts.svelte.ts";
import { account } from "./engine.ts";
import { live } from "./live.svelte.ts";

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** Whether this page comes from the machine one sits at: only there the box itself can be looked after. */
export function atHome(): boolean {
  return LOOPBACK.test(location.hostname);
}

/** Follow the box from now on; `offline` is the sentence for no answer, `words` those of refusals by their code. */
export function begin(
  offline: string,
  words: Readonly<Record<string, string>>,
  home: boolean,
  detailed?: Parameters<typeof translate>[1],
): () => void {
  translate(words, detailed);
  listen(() => {}, offline);
  // Any request of the account renews its sign-in.
  renewBy(() => account.sessions());
  if (home) live.start();
  return () => live.stop();
}

/** Sign out and leave nothing of oneself in this browser. */
export async function signOut(): Promise<void> {
  await account.signOut();
  forgetDrafts();
  forget();
  news.forget();
  live.refresh();
}
