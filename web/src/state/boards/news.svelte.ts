/** What the rail says of the boards: whether there are any here, and how much is new. Small: it is loaded with the page. */
import type { Branding } from "../../protocol/desk.ts";
import { ask } from "../api.ts";

class News {
  /** Whether the box has boards; true until it says otherwise. */
  on = $state(true);
  /** Threads with something unread, once the boards were looked at. */
  unread = $state(0);

  /** Ask the box whether boards are switched on. */
  async look(): Promise<void> {
    try {
      this.on = (await ask<Branding>("GET", "/v1/branding")).boards !== false;
    } catch {
      // It does not answer now: as before.
    }
  }

  /** Nobody is signed in any more. */
  forget(): void {
    this.unread = 0;
  }
}

export const news = new News();
