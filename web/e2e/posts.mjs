/** What people do at the posts of a board. */
import { choose, go, press, until } from "./page.mjs";

/** @typedef {import("puppeteer-core").Page} Page */

/** Go to a board, or a thread of it, from the list. @param {Page} page @param {string[]} rows */
export async function open(page, ...rows) {
  await go(page, "boards");
  for (const row of rows) await choose(page, row);
}

/** Wait until a post that has this text is shown. @param {Page} page @param {string} text */
export async function posted(page, text) {
  await until(
    page,
    `the post “${text}”`,
    (wanted) =>
      [...document.querySelectorAll(".post .markdown")].some((one) => one.textContent?.includes(wanted)),
    text,
  );
}

/** Wait until no post has this text any more. @param {Page} page @param {string} text */
export async function gone(page, text) {
  await until(
    page,
    `“${text}” to go`,
    (wanted) =>
      ![...document.querySelectorAll(".post .markdown")].some((one) => one.textContent?.includes(wanted)),
    text,
  );
}

/** Put the focus on the post that has this text, as one who walks there by arrows. @param {Page} page @param {string} text */
export async function atPost(page, text) {
  await posted(page, text);
  await page.evaluate((wanted) => {
    const all = [...document.querySelectorAll("main ol li[data-entry]")];
    /** @type {HTMLElement | undefined} */ (all.find((one) => one.textContent?.includes(wanted)))?.focus();
  }, text);
}

/** Choose from the menu of a post. @param {Page} page @param {string} text @param {string} item */
export async function menu(page, text, item) {
  // A post that is on its way has no menu yet.
  /** @param {string} wanted */
  const opener = (wanted) => {
    const all = [...document.querySelectorAll("main ol li[data-entry]")];
    const one = all.find((each) => each.textContent?.includes(wanted));
    const found = /** @type {HTMLElement | null | undefined} */ (one?.querySelector("[aria-haspopup=menu]"));
    found?.click();
    return Boolean(found);
  };
  await until(page, `a menu of “${text}”`, opener, text);
  await press(page, item);
}
