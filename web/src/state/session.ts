/** Coming and going: claim, sign in, sign out, and what follows from a session that ended. */
import { listen } from "./api.ts";
import { forget } from "./box.ts";
import * as desk from "./desk.ts";
import { forgetDrafts } from "./drafts.svelte.ts";
import { live } from "./live.svelte.ts";

const SESSION_OVER = new Set(["sign_in", "locked", "not_claimed"]);

/** Follow the box from now on; `offline` is the sentence for a box that does not answer. */
export function begin(offline: string): () => void {
  listen((refusal) => {
    if (SESSION_OVER.has(refusal.code) && live.state?.signed_in) live.refresh();
  }, offline);
  live.start();
  return () => live.stop();
}

/** Become the owner of this box. */
export async function claim(claim: Parameters<typeof desk.claim>[0]): Promise<void> {
  await desk.claim(claim);
  live.refresh();
}

/** Sign in, and unlock a box that is locked. */
export async function signIn(passphrase: string): Promise<void> {
  await desk.signIn(passphrase);
  live.refresh();
}

/** Sign out and leave nothing of the owner in this browser. */
export async function signOut(): Promise<void> {
  await desk.signOut();
  forgetDrafts();
  forget();
  live.refresh();
}
