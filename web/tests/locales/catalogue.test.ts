import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { en } from "../../src/locales/en.ts";
import { LANGUAGES, speak, t } from "../../src/locales/index.ts";
import { WEB } from "../vectors.ts";

const SOURCE = join(WEB, "src");

afterEach(() => speak(["en"]));

function shape(value: unknown): unknown {
  if (typeof value === "function") return "function";
  if (typeof value !== "object" || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shape(inner)]));
}

function files(folder: string): string[] {
  return readdirSync(folder)
    .map((name) => join(folder, name))
    .flatMap((path) => (statSync(path).isDirectory() ? files(path) : [path]));
}

test.each(Object.keys(LANGUAGES))("%s has every text", async (name) => {
  expect(shape(await LANGUAGES[name]!.load())).toEqual(shape(en));
});

/** The placeholders of a text: which of its arguments can be read in what it says. */
function told(value: unknown): unknown {
  if (typeof value === "function") {
    const given = Array.from({ length: value.length }, (_, at) => 7001 + at);
    for (const kind of ["number", "text"] as const) {
      try {
        const said = String(value(...given.map((one) => (kind === "text" ? String(one) : one))));
        const plain = said.replaceAll(/(\d)[.,\u00a0](?=\d{3})/g, "$1");
        return given.map((one) => plain.includes(String(one)));
      } catch {
        // A text for words, not for numbers, or the other way round.
      }
    }
  }
  if (typeof value !== "object" || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, told(inner)]));
}

test.each(Object.keys(LANGUAGES))("%s says everything it is given", async (name) => {
  const catalogue = await LANGUAGES[name]!.load();
  await speak(["en"]);
  expect(told(catalogue)).toEqual(told(en));
  expect(JSON.stringify(told(en))).not.toContain("false");
});

test.each(Object.keys(LANGUAGES))("%s translates: no longer text is the English one", async (name) => {
  if (name === "en") return;
  const same: string[] = [];
  const walk = (a: unknown, b: unknown, path: string): void => {
    if (typeof a === "string" && a === b && a.split(" ").length > 2) same.push(path);
    if (typeof a === "object" && a !== null)
      for (const [key, inner] of Object.entries(a))
        walk(inner, (b as Record<string, unknown>)[key], `${path}.${key}`);
  };
  walk(en, await LANGUAGES[name]!.load(), "");
  expect(same).toEqual([]);
});

test("every refusal that the client may meet has words", () => {
  const source = readFileSync(join(WEB, "../appliance/errors.py"), "utf8");
  const table = source.slice(source.indexOf("# Who asks"), source.indexOf("# Messages between devices"));
  const codes = [...table.matchAll(/^ {4}"(\w+)": Row/gm)].map((match) => match[1]!);
  expect(codes.length).toBeGreaterThan(20);
  expect(codes.filter((code) => !(code in en.errors))).toEqual([]);
});

test("an unknown language falls back to English, and the page says which it speaks", async () => {
  await speak(["xx-YY", "fr"]);
  expect(t).toBe(en);
  expect(document.documentElement.lang).toBe("en");
  expect(document.documentElement.dir).toBe("ltr");
});

test("every text is used, and none stands in a component", () => {
  const components = files(join(SOURCE, "ui")).filter((path) => path.endsWith(".svelte"));
  const source = files(SOURCE)
    .map((path) => readFileSync(path, "utf8"))
    .join("\n");
  for (const [section, texts] of Object.entries(en)) {
    if (typeof texts === "string" || section === "errors") continue;
    const computed = source.includes(`t.${section}[`);
    for (const key of Object.keys(texts))
      expect(computed || source.includes(`t.${section}.${key}`), `${section}.${key} is not used`).toBe(true);
  }
  for (const path of components) {
    const markup = readFileSync(path, "utf8").replace(/<(script|style)[\s\S]*?<\/\1>|<!--[\s\S]*?-->/g, "");
    const spoken = markup.match(/>\s*[A-Z][a-z]+ [a-z]+[^<{]*</g) ?? [];
    expect(spoken, path).toEqual([]);
  }
});

test("every setting of the box has a name", () => {
  const source = readFileSync(join(WEB, "../appliance/config.py"), "utf8");
  const own = [
    ...source.matchAll(/^ {4}(\w+): [\w\[\], |.]+ = (?:_?setting|field|knob|option|_?\w+)\(/gm),
  ].map((one) => one[1]!);
  expect(own.length).toBeGreaterThan(30);
  expect(own.filter((name) => !(name in en.settings.names))).toEqual([]);
});

test("German has one word for a board and one for a thread, on the plain pages, too", () => {
  const texts = readdirSync(join(SOURCE, "locales"))
    .filter((name) => name.startsWith("de"))
    .map((name) => readFileSync(join(SOURCE, "locales", name), "utf8"));
  texts.push(readFileSync(join(WEB, "../appliance/api/plain/words_de.py"), "utf8"));
  const said = texts.flatMap((text) => text.match(/"[^"\n]*"|`[^`]*`/g) ?? []);
  expect(said.filter((one) => /\bBrett|\bFaden|\bFäden|\bBoards?\b/.test(one))).toEqual([]);
});
