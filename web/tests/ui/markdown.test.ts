/** Markdown: the corpus that every renderer must survive, and what people mean by it. */
import { cleanup, render } from "@testing-library/svelte";
import { afterEach, describe, expect, test } from "vitest";
import Markdown from "../../src/ui/boards/Markdown.svelte";
import { hostOf, mayLink, plainOf } from "../../src/ui/boards/markdown.ts";
import { vectors } from "../vectors.ts";

type Group = "scripts" | "links" | "images" | "markdown" | "unicode" | "nesting";
type Corpus = Record<Group, string[]> & { kept: { source: string; tags: string[]; links?: string[] }[] };

const corpus = vectors<Corpus>("markdown");
const GROUPS: Group[] = ["scripts", "links", "images", "markdown", "unicode", "nesting"];
/** What may be there, once more; div and span are the page's own. */
const MAY: Record<string, string[]> = {
  ...Object.fromEntries(
    "p br hr h1 h2 h3 h4 h5 h6 blockquote pre code em strong s ul li table thead tbody tr"
      .split(" ")
      .map((tag) => [tag, []]),
  ),
  a: ["href", "rel", "target"],
  ol: ["start"],
  th: ["class"],
  td: ["class"],
  span: ["class"],
  div: ["class", "role", "aria-label"],
};

afterEach(cleanup);

/** Draws a post and looks at each element and attribute. */
function look(source: string): { tags: string[]; links: string[]; text: string } {
  const { container } = render(Markdown, { text: source });
  const root = container.querySelector(".markdown")!;
  const links: string[] = [];
  const all = [...root.querySelectorAll("*")];
  for (const one of all) {
    const tag = one.tagName.toLowerCase();
    expect(MAY, tag).toHaveProperty(tag);
    for (const { name, value } of one.attributes) {
      if (name === "class" && /^svelte-/.test(value)) continue;
      expect(MAY[tag], `${tag} ${name}`).toContain(name);
      if (name === "class")
        expect(value.replace(/\s*svelte-\w+/, "")).toMatch(/^(host|wide|left|center|right)$/);
      if (name === "href") {
        expect(value).toMatch(/^(https?:|mailto:|#\/)/i);
        // eslint-disable-next-line no-control-regex
        expect(value).not.toMatch(/[\u0000-\u0020]/);
        links.push(value);
      }
    }
    if (tag === "a") expect(one.getAttribute("rel")).toBe("noopener noreferrer nofollow");
  }
  return { tags: all.map((one) => one.tagName.toLowerCase()), links, text: root.textContent ?? "" };
}

describe.each(GROUPS)("%s", (group) => {
  test.each(corpus[group].map((source, at) => [at, source] as const))("%i", (_, source) => {
    const began = performance.now();
    const { tags, links } = look(source);
    expect(performance.now() - began).toBeLessThan(4_000);
    if (group === "scripts") {
      expect(tags.filter((tag) => !["p", "code", "pre"].includes(tag))).toEqual([]);
      expect(links).toEqual([]);
    }
  });
});

test.each(corpus.kept)("kept: $source", ({ source, tags, links = [] }) => {
  const found = look(source);
  expect(found.tags).toEqual(expect.arrayContaining(tags));
  expect(found.links).toEqual(links);
});

test.each(["> ", "- ", "*a* ", "[a](http://x) ", "[", "- x\n", "- x\n\n", "|a|b|\n|-|-|\n|c|d|\n\n", "1. "])(
  "the largest post of %j takes no longer than it may",
  (unit) => {
    const began = performance.now();
    look(unit.repeat(Math.floor(65_536 / unit.length)));
    expect(performance.now() - began).toBeLessThan(6_000);
  },
);

test("raw HTML, pictures and links to elsewhere are shown as they were written", () => {
  expect(look("<b>x</b>").text).toBe("<b>x</b>");
  expect(look("[x](javascript:alert(1))").text).toBe("[x](javascript:alert(1))");
  expect(look("![x](http://evil.example/a.png)").tags).not.toContain("img");
});

test("a link says where it leads unless its words do", () => {
  expect(look("[http://good.example](http://evil.example/x)").text).toContain("(evil.example)");
  expect(look("<https://example.org/x>").text).toBe("https://example.org/x");
  expect(hostOf("http://good.example@evil.example/")).toBe("evil.example");
  expect(hostOf("mailto:a@b")).toBe("");
});

test.each([
  ["http://x", true],
  ["HTTPS://x", true],
  ["mailto:x@y", true],
  ["#/boards", true],
  ["#x", false],
  ["/v1/session", false],
  ["//evil.example", false],
  ["javascript:alert(1)", false],
  ["java\nscript:x", false],
  ["http", false],
  ["", false],
])("%j may be a link: %s", (address, may) => expect(mayLink(address)).toBe(may));

test("one line of a post is without its markup", () => {
  expect(plainOf("# A **boat**\n\n- for\n- two")).toBe("A boat for two");
});
