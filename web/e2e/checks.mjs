/** What must hold on every page: no barrier that axe finds, nothing wider than the screen, all of it by keyboard. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const MOST_STEPS = 250;

/** @typedef {import("puppeteer-core").Page} Page */

/** Rules that look at colours: what a theme can change. */
const COLOURS = ["color-contrast", "link-in-text-block"];

/** Barriers on the present page, one line each; those of its colours alone where the rest was looked at in another theme.
 * @param {Page} page @param {boolean} coloursOnly @returns {Promise<string[]>} */
export async function barriers(page, coloursOnly = false) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(AXE);
  return page.evaluate(
    async (runOnly) => {
      const axe = /** @type {any} */ (window)["axe"];
      const { violations } = await axe.run(document, { runOnly, resultTypes: ["violations"] });
      return violations.flatMap((/** @type {any} */ one) =>
        one.nodes.map(
          (/** @type {any} */ node) => `${one.id}: ${node.html.slice(0, 160)} ${node.failureSummary}`,
        ),
      );
    },
    coloursOnly ? COLOURS : TAGS,
  );
}

/** Things that stick out of the screen sideways. @param {Page} page @returns {Promise<string[]>} */
export async function tooWide(page) {
  return page.evaluate(() => {
    const screen = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= screen) return [];
    return [...document.querySelectorAll("main *")]
      .filter(
        (one) => one.getBoundingClientRect().right > screen + 1 || one.getBoundingClientRect().left < -1,
      )
      .slice(0, 3)
      .map((one) => `wider than the screen: ${one.outerHTML.slice(0, 120)}`);
  });
}

/**
 * Walk with Tab from the top of the page: every control must get the focus, visibly.
 * @param {Page} page @returns {Promise<string[]>}
 */
export async function keyboardGaps(page) {
  await page.evaluate(() => {
    for (const one of document.querySelectorAll("[data-met]")) one.removeAttribute("data-met");
    const start = document.getElementById("app") ?? document.body;
    start.setAttribute("tabindex", "-1");
    start.focus({ preventScroll: true });
    start.removeAttribute("tabindex");
  });
  /** @type {string[]} */
  const gaps = [];
  for (let step = 0; step < MOST_STEPS; step++) {
    await page.keyboard.press("Tab");
    const met = await page.evaluate(() => {
      const one = document.activeElement;
      if (!one || one === document.body) return { again: false, shown: true, html: "" };
      const again = one.hasAttribute("data-met");
      one.setAttribute("data-met", "");
      const carrier = one.matches("input[type=radio]") ? (one.closest("label") ?? one) : one;
      const look = getComputedStyle(carrier);
      return {
        again,
        shown: look.outlineStyle !== "none" && look.outlineWidth !== "0px",
        html: one.outerHTML.slice(0, 120),
      };
    });
    if (met.again) break;
    if (!met.shown) gaps.push(`the focus cannot be seen on ${met.html}`);
    // Past the last control come the browser's own bars, from which a headless Firefox does not come back.
    if ((await page.evaluate(missed)).length === 0) break;
  }
  return [...gaps, ...(await page.evaluate(missed))];
}

/** Controls that the walk did not meet; of a group of radio buttons one is enough. */
function missed() {
  const controls = [...document.querySelectorAll("a[href], button, input, select, textarea, summary")];
  const all = controls.filter(
    (one) =>
      one.getClientRects().length > 0 &&
      one.checkVisibility({ visibilityProperty: true }) &&
      one.getAttribute("tabindex") !== "-1" &&
      !one.matches(":disabled"),
  );
  const group = (/** @type {Element} */ one) =>
    one instanceof HTMLInputElement && one.type === "radio" ? one.name : "";
  const met = new Set(all.filter((one) => one.hasAttribute("data-met")).map(group));
  return all
    .filter((one) => !one.hasAttribute("data-met") && !(group(one) && met.has(group(one))))
    .map((one) => `not reached by keyboard: ${one.outerHTML.slice(0, 120)}`);
}
