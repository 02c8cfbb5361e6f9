/**
 * A conversation in a window that changes, and in a browser that is killed.
 *
 *   node e2e/talk.mjs --claim URL [--browser chromium|firefox]
 *
 * One line of JSON: what was found wrong, and how often the browser after the killed one asked who listens.
 */
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import * as acts from "./acts.mjs";
import { openBrowser } from "./browser.mjs";
import { fill, holdTold, press, says, until } from "./page.mjs";

const { values: wish } = parseArgs({
  options: { claim: { type: "string" }, browser: { type: "string", default: "chromium" } },
});
const kind = wish.browser === "firefox" ? "firefox" : "chromium";
const link = wish.claim ?? "";
const base = new URL(link).origin;
const PASSPHRASE = "seven grey gulls";
/** More than a screen holds. */
const MANY = 24;
/** Seconds that a box has to have watched before it says who does not listen. */
const WATCHED = 30;

/** @typedef {import("puppeteer-core").Page} Page */

const log = { problems: /** @type {string[]} */ ([]), errors: /** @type {string[]} */ ([]) };
const other = await openBrowser("chromium");
const first = await openBrowser(kind, { jit: true });
try {
  const ada = await acts.openPage(first.browser, base, "ada", log);
  const ben = await acts.openPage(other.browser, base, "ben", log);
  await acts.signUp(ada, link, "ada", PASSPHRASE);
  const code = await ada.evaluate(async () => {
    const body = JSON.stringify({ uses: 1 });
    const headers = { "content-type": "application/json" };
    return (await (await fetch("/v1/invites", { method: "POST", headers, body })).json()).code;
  });
  await acts.signUp(ben, `${base}/#/invite/${code}`, "ben", PASSPHRASE);
  const address = await acts.ownAddress(ben);
  await acts.begin(ada, address);
  for (let number = 1; number <= MANY; number++) await acts.write(ada, `Number ${number}.`);
  await acts.accept(ben, "ada", "Number 1.");
  await resized(ada);
  await holdTold(ada, () => told(ada));
  const looks = await killed(ada, ben);
  console.log(JSON.stringify({ problems: log.problems, looks }));
} finally {
  await first.close();
  await other.close();
}

/** The conversation scrolls, the page around it never, whatever becomes of the window. @param {Page} page */
async function resized(page) {
  for (const [width, height] of [
    [1280, 800],
    [1280, 500],
    [420, 640],
    [1000, 420],
    [1280, 800],
  ]) {
    await page.setViewport({ width: width ?? 0, height: height ?? 0 });
    await pause(300);
    await until(page, `the newest message in a window of ${width}×${height}`, newestSeen, null);
    const found = await page.evaluate(() => {
      const bars = [...document.querySelectorAll("*")].filter((one) => {
        const { overflowY } = getComputedStyle(one);
        const own = one === document.documentElement ? overflowY !== "hidden" : /auto|scroll/.test(overflowY);
        return own && one.clientHeight > 0 && one.scrollHeight > one.clientHeight + 1;
      });
      const talk = document.querySelector("article.talk .scroll");
      return bars
        .filter((one) => one !== talk && (one.contains(talk) || talk?.contains(one)))
        .map((one) => one.outerHTML.slice(0, 80));
    });
    if (found.length > 0) log.problems.push(`${width}×${height}: another scroll bar: ${found}`);
  }
}

/** Whether the newest message is in view. */
function newestSeen() {
  const talk = document.querySelector("article.talk .scroll");
  const last = [...document.querySelectorAll("article.talk ol li")].at(-1)?.getBoundingClientRect();
  return !!last && !!talk && last.bottom <= talk.getBoundingClientRect().bottom + 1;
}

/** What the page tells at its edge covers neither the newest message nor where one writes. @param {Page} page */
async function told(page) {
  for (const [width, height] of [
    [1280, 800],
    [390, 560],
  ]) {
    await page.setViewport({ width: width ?? 0, height: height ?? 0 });
    await fill(page, "", "Who writes much needs room. ".repeat(12));
    await acts.message(page, `Number ${MANY - (width === 390 ? 2 : 1)}.`);
    await page.keyboard.press("Delete");
    await press(page, "Delete for me");
    await until(page, "what is told", () => document.querySelector(".toast"), null);
    await pause(300);
    const covered = await page.evaluate(() => {
      const newest = [...document.querySelectorAll("article.talk ol li .bubble")].at(-1);
      const kept = [newest, document.querySelector(".composer textarea")];
      const toasts = [...document.querySelectorAll(".toast")].map((one) => one.getBoundingClientRect());
      return kept.flatMap((one) => {
        const at = one?.getBoundingClientRect();
        const under = !at || toasts.some((toast) => toast.top < at.bottom - 1 && toast.bottom > at.top + 1);
        return under ? [one?.outerHTML.slice(0, 80) ?? "nothing there"] : [];
      });
    });
    for (const one of covered) log.problems.push(`${width}×${height}: a message of the page covers ${one}`);
    await press(page, "Dismiss");
    await fill(page, "", "");
  }
  await page.setViewport({ width: 1280, height: 800 });
}

/** Somebody goes on writing in a browser that knows nothing of the killed one; how often it asked who listens before
 * it sat down. @param {Page} ada @param {Page} ben */
async function killed(ada, ben) {
  const watched = async (/** @type {number} */ least) => {
    const answer = await fetch("/v1/listening", { headers: { accept: "application/json" } });
    return (await answer.json()).seconds >= least;
  };
  await until(ada, "what the box knows", watched, WATCHED);
  first.browser.process()?.kill("SIGKILL");
  const next = await openBrowser(kind, { jit: true });
  try {
    const again = await acts.openPage(next.browser, base, "ada again", log);
    let looks = 0;
    again.on("request", (request) => {
      if (new URL(request.url()).pathname === "/v1/listening") looks++;
    });
    await acts.signIn(again, base, "ada", PASSPHRASE);
    await acts.converse(again, "ben");
    await acts.write(again, "Here I am again.");
    await says(ben, "Here I am again.");
    return looks;
  } finally {
    await next.close();
  }
}
