/** How the box shows itself: its name, welcome, rules and accent, and what is switched on. Kept for the whole page. */
import type { Accent, Branding, ChangeBranding } from "../protocol/desk.ts";
import { ask } from "./api.ts";
import { news } from "./boards/news.svelte.ts";
import { read, write } from "./drafts.svelte.ts";

export const ACCENTS = ["sea", "forest", "plum", "clay", "slate"] as const satisfies readonly Accent[];
const KEY = "island.accent";

class Looks {
  /** What the box said last; undefined before its first answer. */
  now = $state.raw<Branding | undefined>();

  /** Wear the accent of last time until the box has answered. */
  start(): void {
    const stored = ACCENTS.find((one) => one === read(KEY));
    if (stored) this.#wear(stored);
  }

  /** Ask the box, unless what is known is its `revision`. */
  async look(revision?: string): Promise<void> {
    if (revision && revision === this.now?.revision) return;
    try {
      this.take(await ask<Branding>("GET", "/v1/branding"));
    } catch {
      // It does not answer now: as before.
    }
  }

  async change(change: ChangeBranding): Promise<void> {
    this.take(await ask<Branding>("PATCH", "/v1/branding", { body: change }));
  }

  take(found: Branding): void {
    this.now = found;
    news.on = found.boards;
    this.#wear(found.accent);
    write(KEY, found.accent);
  }

  #wear(accent: Accent): void {
    document.documentElement.dataset["accent"] = accent;
  }
}

export const looks = new Looks();
