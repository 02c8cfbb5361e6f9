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

test("an unknown language falls back to English, and the page says which it speaks", async () => {
  await speak(["xx-YY", "de"]);
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
    if (typeof texts === "string") continue;
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
