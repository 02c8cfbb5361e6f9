/** Every accent can be read, by day and by night: text and its ground differ by 4.5 to 1 at least (WCAG AA). */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ACCENTS } from "../../src/state/branding.svelte.ts";
import { WEB } from "../vectors.ts";

const SOURCE = readFileSync(join(WEB, "src/ui/theme.css"), "utf8");
const LEAST = 4.5;
const PAIRS = [
  ...["sand", "surface", "sunken", "raised", "sea-soft"].map((ground) => ["sea", ground]),
  ["sea-strong", "surface"],
  ["sea-ink", "sea"],
  ["sea-ink", "sea-strong"],
  ["ink", "sea-soft"],
  ["ink", "bubble-mine"],
  ["bubble-foot", "bubble-mine"],
  ["sea", "bubble-mine"],
] as const;

/** The colours of a rule, light and dark. */
function tokens(head: string): Map<string, [string, string]> {
  const from = SOURCE.indexOf(head);
  const body = SOURCE.slice(from, SOURCE.indexOf("\n}", from));
  return new Map(
    [...body.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g)].map(([, name, light, dark]) => [
      name!,
      [light!, dark!],
    ]),
  );
}

function brightness(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}

function contrast(one: string, other: string): number {
  const [dark, light] = [brightness(one), brightness(other)].toSorted((a, b) => a - b);
  return (light! + 0.05) / (dark! + 0.05);
}

test.each(ACCENTS)("%s can be read", (accent) => {
  const own = tokens(`[data-accent="${accent}"] {`);
  expect(own.size).toBe(6);
  const all = new Map([...tokens(":root {"), ...own]);
  for (const [text, ground] of PAIRS)
    for (const light of [0, 1]) {
      const found = contrast(all.get(text)![light]!, all.get(ground)![light]!);
      expect(found, `${text} on ${ground}, ${light ? "dark" : "light"}`).toBeGreaterThanOrEqual(LEAST);
    }
});
