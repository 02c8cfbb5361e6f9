/** The language of the page: as the browser says, or as chosen in this browser. A change draws the page anew. */
import { LANGUAGES, speak } from "../locales/index.ts";
import { read, write } from "./drafts.svelte.ts";

const KEY = "island.language";
let redraw: () => void = () => {};

export const language = {
  /** The chosen language, "" for the browser's. */
  chosen(): string {
    const stored = read(KEY);
    return stored in LANGUAGES ? stored : "";
  },

  /** Speak as chosen; `again` draws the page in another language. */
  async start(again: () => void): Promise<void> {
    redraw = again;
    await speak([language.chosen(), ...navigator.languages].filter(Boolean));
  },

  async choose(name: string): Promise<void> {
    write(KEY, name);
    await speak([name, ...navigator.languages].filter(Boolean));
    redraw();
  },
};
