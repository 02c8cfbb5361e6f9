/** The language of the page: one catalogue of all its text, chosen once before anything is shown. */
import { en } from "./en.ts";

/** Every language has exactly the keys of the English catalogue. */
export type Catalogue = typeof en;

interface Language {
  /** What its speakers call it. */
  readonly name: string;
  /** The regional form of dates and numbers; the catalogue's own, so that they fit its sentences. */
  readonly region: string;
  readonly direction: "ltr" | "rtl";
  readonly load: () => Promise<Catalogue>;
}

/** To add a language: one file like en.ts, one line here. Others than English load on demand. */
export const LANGUAGES: Readonly<Record<string, Language>> = {
  en: { name: "English", region: "en-GB", direction: "ltr", load: () => Promise.resolve(en) },
  de: {
    name: "Deutsch",
    region: "de-DE",
    direction: "ltr",
    load: async () => (await import("./de.ts")).de,
  },
};

/** The text of the page. A live binding: set once by `speak`, before the page is mounted. */
export let t: Catalogue = en;
export let locale = "en-GB";

/** Speak the first of the `wanted` languages that we have. */
export async function speak(wanted: readonly string[]): Promise<void> {
  const match = wanted.map((tag) => tag.toLowerCase().split("-")[0]!).find((tag) => tag in LANGUAGES) ?? "en";
  const language = LANGUAGES[match]!;
  t = await language.load();
  locale = language.region;
  document.documentElement.lang = match;
  document.documentElement.dir = language.direction;
}
