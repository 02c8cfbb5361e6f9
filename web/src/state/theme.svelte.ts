/** Light or dark: as the system says, or as chosen in this browser. */
import { read, write } from "./drafts.svelte.ts";

export type Theme = "system" | "light" | "dark";

const KEY = "island.theme";

class Shade {
  chosen = $state<Theme>("system");

  /** Take the choice of last time. */
  start(): void {
    const stored = read(KEY);
    this.choose(stored === "light" || stored === "dark" ? stored : "system");
  }

  choose(theme: Theme): void {
    this.chosen = theme;
    document.documentElement.dataset["theme"] = theme;
    write(KEY, theme === "system" ? "" : theme);
  }
}

export const shade = new Shade();
