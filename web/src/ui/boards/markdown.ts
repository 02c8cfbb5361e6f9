/**
 * Markdown as a tree of what may be shown (SPEC.md, "Boards"). Elements, attributes and links come from the lists
 * here; whatever else somebody writes is shown as the text it is. Nothing here or behind it makes HTML of a text.
 */
import type { Nodes, Root, TableCell } from "mdast";
import { fromMarkdown } from "mdast-util-from-markdown";
import { gfmStrikethroughFromMarkdown } from "mdast-util-gfm-strikethrough";
import { gfmTableFromMarkdown } from "mdast-util-gfm-table";
import { gfmStrikethrough } from "micromark-extension-gfm-strikethrough";
import { gfmTable } from "micromark-extension-gfm-table";

/** Every element there is. */
export const TAGS = [
  ...["p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "code", "em", "strong", "s"],
  ...["a", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td"],
] as const;
export type Tag = (typeof TAGS)[number];
export type Side = "left" | "center" | "right";

/** A piece of a post: text, or an element with what is in it. `host` is where a link leads, if its words do not say so. */
export type Piece =
  string | { tag: Tag; inner: Piece[]; href?: string; host?: string; start?: number; align?: Side };

const SCHEMES = new Set(["http", "https", "mailto"]);
const MAX_NESTING = 20;
/** Elements whose parts are words of their own. */
const APART = new Set<Tag>(["tr", "ul", "ol", "thead", "tbody", "table", "blockquote", "li"]);
/** Signs that may begin markup, in one stretch without an empty line and in all: what is beyond takes the parser too long. */
const MOST_MARKS = 2_000;
const MOST_MARKS_IN_ALL = 8_000;
const MARK = /[*_~[\]|<>!&`#\\+\n-]|\d[.)]/g;
const DEEP = new RegExp(
  `^((?:[ \\t]*(?:>|[-*+](?=[ \\t])|\\d{1,9}[.)](?=[ \\t]))){${MAX_NESTING}}[ \\t]*)`,
  "gm",
);

const OPTIONS = {
  extensions: [
    gfmTable(),
    gfmStrikethrough({ singleTilde: false }),
    { disable: { null: ["htmlFlow", "htmlText", "labelStartImage"] } },
  ],
  mdastExtensions: [gfmTableFromMarkdown(), gfmStrikethroughFromMarkdown()],
};

/** What a post shows. Text with more markup than anybody means is shown as its source. */
export function piecesOf(source: string): Piece[] {
  if (isIntricate(source)) return [{ tag: "pre", inner: [source] }];
  const text = source.replace(DEEP, "$1\\");
  return new Reading(text).read(fromMarkdown(text, OPTIONS));
}

/** Whether an address may become a link: http, https, mailto, or a place in the app (`#/…`). */
export function mayLink(address: string): boolean {
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u0020\u007f-\u00a0\u2028\u2029]/.test(address)) return false;
  if (address.startsWith("#/")) return true;
  const [scheme, rest] = address.split(":", 2);
  return rest !== undefined && SCHEMES.has(scheme!.toLowerCase());
}

/** The host that a link leads to; "" for mail, places in the app and what has none. */
export function hostOf(address: string): string {
  if (address.startsWith("#")) return "";
  try {
    return new URL(address).hostname;
  } catch {
    return "";
  }
}

/** The words of a post without its markup, for one line. */
export function plainOf(source: string): string {
  const words = (piece: Piece): string =>
    typeof piece === "string" ? piece : piece.inner.map(words).join(APART.has(piece.tag) ? " " : "");
  return piecesOf(source.slice(0, 2_000)).map(words).join(" ").replace(/\s+/g, " ").trim();
}

function isIntricate(source: string): boolean {
  let all = 0;
  for (const stretch of source.split(/\n[ \t]*\n/)) {
    const marks = stretch.match(MARK)?.length ?? 0;
    all += marks;
    if (marks > MOST_MARKS) return true;
  }
  return all > MOST_MARKS_IN_ALL;
}

/** Goes through what the parser found, and keeps what is on the list. */
class Reading {
  readonly #targets = new Map<string, string>();

  constructor(readonly source: string) {}

  read(root: Root): Piece[] {
    this.#define(root);
    return this.#all(root.children, 0);
  }

  /** Where references lead; the first definition of a name counts. */
  #define(node: Nodes): void {
    if (node.type === "definition" && !this.#targets.has(node.identifier))
      this.#targets.set(node.identifier, node.url);
    if ("children" in node) for (const child of node.children) this.#define(child);
  }

  #all(nodes: readonly Nodes[], depth: number): Piece[] {
    return nodes.flatMap((node) => this.#one(node, depth));
  }

  #one(node: Nodes, depth: number): Piece[] {
    if (depth > MAX_NESTING) return [this.#written(node)];
    const wrap = (tag: Tag, children: readonly Nodes[]): Piece[] => [
      { tag, inner: this.#all(children, depth + 1) },
    ];
    switch (node.type) {
      case "text":
        return [node.value];
      case "paragraph":
        return wrap("p", node.children);
      case "heading":
        return wrap(`h${node.depth}`, node.children);
      case "emphasis":
        return wrap("em", node.children);
      case "strong":
        return wrap("strong", node.children);
      case "delete":
        return wrap("s", node.children);
      case "blockquote":
        return wrap("blockquote", node.children);
      case "break":
        return [{ tag: "br", inner: [] }];
      case "thematicBreak":
        return [{ tag: "hr", inner: [] }];
      case "inlineCode":
        return [{ tag: "code", inner: [node.value] }];
      case "code":
        return [{ tag: "pre", inner: [{ tag: "code", inner: [node.value] }] }];
      case "list": {
        const inner = node.children.map((item) => this.#item(item.children, item.spread ?? false, depth + 1));
        if (!node.ordered) return [{ tag: "ul", inner }];
        return [{ tag: "ol", inner, ...(node.start != null && node.start !== 1 && { start: node.start }) }];
      }
      case "table": {
        const [head, ...rows] = node.children;
        const row = (cells: readonly TableCell[], tag: "th" | "td"): Piece => ({
          tag: "tr",
          inner: cells.map((cell, at) => {
            const align = node.align?.[at];
            return { tag, inner: this.#all(cell.children, depth + 3), ...(align && { align }) };
          }),
        });
        const inner: Piece[] = [{ tag: "thead", inner: [row(head?.children ?? [], "th")] }];
        if (rows.length > 0) inner.push({ tag: "tbody", inner: rows.map((one) => row(one.children, "td")) });
        return [{ tag: "table", inner }];
      }
      case "link":
        return this.#link(node, node.url, depth);
      case "linkReference":
        return this.#link(node, this.#targets.get(node.identifier) ?? "", depth);
      case "definition":
        return [];
      default:
        return [this.#written(node)];
    }
  }

  /** In a list without empty lines a paragraph is no block of its own. */
  #item(children: readonly Nodes[], spread: boolean, depth: number): Piece {
    const inner = children.flatMap((child) =>
      child.type === "paragraph" && !spread
        ? this.#all(child.children, depth + 1)
        : this.#one(child, depth + 1),
    );
    return { tag: "li", inner };
  }

  #link(node: Nodes & { children: Nodes[] }, href: string, depth: number): Piece[] {
    if (!mayLink(href)) return [this.#written(node)];
    const inner = this.#all(node.children, depth + 1);
    const host = hostOf(href);
    const said = inner.every((piece) => typeof piece === "string") ? inner.join("") : "";
    const shown = said.replace(/^https?:\/\//, "").split("/", 1)[0] === host;
    return [{ tag: "a", inner, href, ...(host && !shown && { host }) }];
  }

  /** As it was written. */
  #written(node: Nodes): string {
    const from = node.position?.start.offset ?? 0;
    return this.source.slice(from, node.position?.end.offset ?? from);
  }
}
