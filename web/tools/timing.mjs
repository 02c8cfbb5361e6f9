/** Clocks inside the page: what it asked the box and how long that took, and what it sent by its socket. */
import * as acts from "../e2e/acts.mjs";
import { fill, go, press, says, until } from "../e2e/page.mjs";
import { between, threadOf } from "./thread.mjs";

const PASSPHRASE = "seven grey gulls";

/** @typedef {import("puppeteer-core").Page} Page */
/** @typedef {{path: string, body: any, from: number, to: number}} Asked */
/** @typedef {{asked: Asked[], sent: {at: number, body: any}[], enter: number, composer?: number}} Clocks */

/** Milliseconds, and the moments (Unix milliseconds) they lie between.
 * @typedef {{work: number, whole: number, from: number, to: number}} Worked */

/** Messages whose median is one figure: the lowest of those is the one the fewest others disturbed. */
const ROUND = 10;

/** Runs in the page before anything else. */
function wind() {
  /** @type {Clocks} */
  const clocks = { asked: [], sent: [], enter: 0 };
  /** @type {any} */ (window).clocks = clocks;
  const ask = window.fetch.bind(window);
  window.fetch = async (path, init) => {
    const one = { path: String(path), body: init?.body, from: performance.now(), to: Infinity };
    clocks.asked.push(one);
    try {
      return await ask(path, init);
    } finally {
      one.to = performance.now();
    }
  };
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (/** @type {any} */ data) {
    clocks.sent.push({ at: performance.now(), body: data });
    send.call(this, data);
  };
  const key = (/** @type {KeyboardEvent} */ event) =>
    event.key === "Enter" && (clocks.enter = performance.now());
  document.addEventListener("keydown", key, true);
  document.addEventListener("click", () => (clocks.enter = performance.now()), true);
  new MutationObserver(() => {
    if (document.querySelector(".composer")) clocks.composer ??= performance.now();
  }).observe(document, { subtree: true, childList: true });
}

/** Milliseconds between the last Enter or click and the dispatch that followed, or the composer that opened: work is what
 * was not spent on waiting for the box. @param {Page} page @param {"dispatch" | "composer"} what */
async function work(page, what) {
  const left = (/** @type {string} */ end) => {
    const { clocks } = /** @type {{clocks: Clocks}} */ (/** @type {unknown} */ (window));
    const { asked, sent, enter } = clocks;
    // A dispatch leaves alone, or with the change of the vault that saves it; by a request, or on the socket.
    const carries = (/** @type {any} */ body) => /dispatch/.test(new TextDecoder().decode(body));
    const leaves = (/** @type {Asked} */ { path, body }) =>
      path === "/v1/dispatch" || (path === "/v1/vault" && carries(body));
    const posted = asked.find((one) => one.from > enter && leaves(one))?.from ?? Infinity;
    const pushed = sent.find((one) => one.at > enter && carries(one.body))?.at ?? Infinity;
    const stop = end === "composer" ? (clocks.composer ?? Infinity) : Math.min(posted, pushed);
    if (stop === Infinity) return null;
    // What was asked together counts once; what is always asked (whether something happened) not at all.
    let waited = 0;
    let counted = enter;
    const waits = asked.filter((one) => !/^\/v1\/(state|events)/.test(one.path));
    for (const { from, to } of waits.toSorted((a, b) => a.from - b.from)) {
      const begin = Math.max(from, counted);
      const over = Math.min(to, stop);
      if (over <= begin) continue;
      waited += over - begin;
      counted = over;
    }
    const { timeOrigin } = performance;
    return {
      work: stop - enter - waited,
      whole: stop - enter,
      from: timeOrigin + enter,
      to: timeOrigin + stop,
    };
  };
  await until(page, `the ${what}`, left, what);
  return /** @type {Worked} */ (await page.evaluate(left, what));
}

/** The work of a first message and, as a median, of those after it.
 * @param {import("puppeteer-core").Browser} measured @param {import("puppeteer-core").Browser} other
 * @param {string} link @param {number} count @param {acts.Log} log */
export async function converse(measured, other, link, count, log) {
  const ada = await acts.openPage(measured, link, "ada", log);
  await ada.evaluateOnNewDocument(wind);
  const ben = await acts.openPage(other, link, "ben", log);
  await acts.signUp(ada, link, "ada", PASSPHRASE);
  const code = await ada.evaluate(async () => {
    const body = JSON.stringify({ uses: 1 });
    const headers = { "content-type": "application/json" };
    const answer = await fetch("/v1/invites", { method: "POST", headers, body });
    return /** @type {string} */ ((await answer.json()).code);
  });
  await acts.signUp(ben, `${new URL(link).origin}/#/invite/${code}`, "ben", PASSPHRASE);
  const address = await acts.ownAddress(ben);
  await go(ada, "people/add");
  await fill(ada, "Address", address);
  await press(ada, "Begin conversation");
  const found = await work(ada, "composer");
  await acts.write(ada, "How do you do?");
  const first = await work(ada, "dispatch");
  await acts.accept(ben, "ada", "How do you do?");
  await acts.write(ben, "Fine, thank you.");
  await says(ada, "Fine, thank you.");
  const thread = await threadOf(measured, ada);
  const works = [];
  const wholes = [];
  const used = [];
  const all = [];
  for (let number = 1; number <= count; number++) {
    await fill(ada, "", `Number ${number}.`);
    await thread.samples();
    await ada.keyboard.press("Enter");
    await says(ben, `Number ${number}.`);
    const one = await work(ada, "dispatch");
    works.push(one.work);
    wholes.push(one.whole);
    const samples = await thread.samples();
    used.push(between(samples, one.from, one.to));
    all.push((samples.at(-1)?.[1] ?? 0) - (samples[0]?.[1] ?? 0));
  }
  thread.end();
  return {
    first_work_ms: Math.round(found.work + first.work),
    first_whole_ms: Math.round(found.whole + first.whole),
    sent_work_ms: lowest(works),
    sent_whole_ms: lowest(wholes),
    sent_cpu_ms: lowest(used),
    all_cpu_ms: lowest(all),
  };
}

/** From the passphrase being stretched to the list, and to a message being sent from it.
 * @param {Page} page @param {string} base @param {string} last the conversation on top */
export async function deep(page, base, last) {
  await page.evaluateOnNewDocument(wind);
  await acts.signIn(page, base, "ada", PASSPHRASE);
  await until(
    page,
    "the list",
    (name) => {
      const there = [...document.querySelectorAll("main li a")].some((one) =>
        one.textContent?.includes(name),
      );
      const { clocks } = /** @type {any} */ (window);
      if (there) clocks.list ??= performance.now();
      return there;
    },
    last,
  );
  await acts.converse(page, last);
  await says(page, "Message 10000");
  return page.evaluate(() => {
    const { asked, list } = /** @type {any} */ (window).clocks;
    const stretched = asked.find((/** @type {Asked} */ one) => one.path === "/v1/session").from;
    const seconds = (/** @type {number} */ at) => Math.round(at - stretched) / 1000;
    return { list_seconds: seconds(list), opened_seconds: seconds(performance.now()) };
  });
}

/** The lowest of the medians of every few. @param {number[]} values */
function lowest(values) {
  const medians = [];
  for (let at = 0; at < Math.max(1, values.length - ROUND / 2); at += ROUND)
    medians.push(median(values.slice(at, at + ROUND)));
  return Math.min(...medians);
}

/** @param {number[]} values */
function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round((sorted[Math.floor(sorted.length / 2)] ?? 0) * 10) / 10;
}
