/** A person at the page: finds things by their words, as a person does. */
import { setTimeout as pause } from "node:timers/promises";

/**
 * Without JIT a passphrase takes up to 20 seconds; a box that comes back starts its Tor anew, while the other one
 * may hang on a circuit to the old one for most of a minute; a busy machine takes several times that. Below the
 * browser protocol's own deadline (browser.mjs).
 */
const DEADLINE = 300_000;

/** @typedef {import("puppeteer-core").Page} Page */

/** Wait until `ready` (run in the page with `argument`) is truthy.
 * @param {Page} page @param {string} what @param {(argument: any) => unknown} ready @param {unknown} argument */
export async function until(page, what, ready, argument) {
  try {
    await page.waitForFunction(ready, { timeout: DEADLINE, polling: 100 }, argument);
  } catch (cause) {
    const place = await page.evaluate(() => location.hash.slice(0, 40));
    throw new Error(`waited in vain for ${what} at ${place}; the page says: ${await words(page)}`, { cause });
  }
}

/** The text one can see. @param {Page} page */
export async function words(page) {
  return page.evaluate(() => document.body.innerText.replace(/\s+/g, " ").slice(0, 600));
}

/** Wait until `text` can be read, or was told since the last press. @param {Page} page @param {string} text */
export async function reads(page, text) {
  await until(
    page,
    `“${text}”`,
    (wanted) =>
      document.body.innerText.includes(wanted) ||
      /** @type {any} */ (window)["told"]?.some((/** @type {string} */ one) => one.includes(wanted)),
    text,
  );
}

/** What is told at the edge of the page goes by itself, perhaps before anybody looks: remember it from now on.
 * @param {Page} page */
async function listen(page) {
  await page.evaluate(() => {
    const here = /** @type {any} */ (window);
    const first = !here["told"];
    here["told"] = [];
    if (!first) return;
    const take = (/** @type {Node} */ node) => {
      if (!(node instanceof Element)) return;
      for (const one of [node, ...node.querySelectorAll(".toast")])
        if (one.matches(".toast")) here["told"].push(one.textContent ?? "");
    };
    new MutationObserver((changes) => changes.forEach((one) => one.addedNodes.forEach(take))).observe(
      document.body,
      { subtree: true, childList: true },
    );
  });
}

/** While `act` runs, whatever is told stays until it is dismissed, as under the pointer of somebody who reads slowly.
 * @param {Page} page @param {() => Promise<void>} act */
export async function holdTold(page, act) {
  const hold = await page.evaluateHandle(() => {
    const held = new WeakSet();
    const all = new MutationObserver(() => {
      for (const one of document.querySelectorAll(".toast")) {
        if (!held.has(one)) one.dispatchEvent(new PointerEvent("pointerenter"));
        held.add(one);
      }
    });
    all.observe(document.body, { subtree: true, childList: true });
    return all;
  });
  await act();
  await hold.evaluate((all) => all.disconnect());
}

/** The visible button, link or radio named `name`, in the top dialog if one is open.
 * @param {Page} page @param {string} name */
async function control(page, name) {
  /** @param {string} wanted */
  const find = (wanted) => {
    const root = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document;
    const all = [...root.querySelectorAll("button, a, summary, label, [role=button]")];
    const named = all.filter((one) => {
      const own = one.getAttribute("aria-label") ?? one.textContent ?? "";
      return own.replace(/\s+/g, " ").trim().startsWith(wanted) && one.getClientRects().length > 0;
    });
    return named[0] ?? null;
  };
  await until(page, `a control “${name}”`, find, name);
  const handle = (await page.evaluateHandle(find, name)).asElement();
  if (!handle) throw new Error(`no control “${name}”`);
  return /** @type {import("puppeteer-core").ElementHandle<HTMLElement>} */ (handle);
}

/** Wait until nothing that arrives pushes it away or covers it any more.
 * @param {import("puppeteer-core").ElementHandle<HTMLElement>} handle */
async function atRest(handle) {
  await handle.evaluate(async (one) => {
    for (let before = "", same = 0, looks = 0; same < 3 && looks < 900; looks++) {
      const { x, y, width, height } = one.getBoundingClientRect();
      const top = document.elementFromPoint(x + width / 2, y + height / 2);
      const bare = top !== null && (one.contains(top) || top.contains(one));
      same = bare && before === `${x} ${y}` ? same + 1 : 0;
      before = `${x} ${y}`;
      await new Promise(requestAnimationFrame);
    }
  });
}

/** Press what is named `name`. @param {Page} page @param {string} name */
export async function press(page, name) {
  const handle = await control(page, name);
  await handle.evaluate((one) => one.scrollIntoView({ block: "center" }));
  await atRest(handle);
  await listen(page);
  await handle.click();
}

/** Type into the field labelled `label` ("": where one writes messages), in place of what is there; long texts arrive as if pasted.
 * @param {Page} page @param {string} label @param {string} text */
export async function fill(page, label, text) {
  /** @param {string} wanted */
  const find = (wanted) => {
    const root = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document;
    if (wanted === "") return root.querySelector(".composer textarea");
    const labels = [...root.querySelectorAll("label")];
    const exact = labels.find((one) => one.textContent?.trim() === wanted);
    return (exact ?? labels.find((one) => one.textContent?.trim().startsWith(wanted)))?.control ?? null;
  };
  await until(page, `a field “${label}”`, find, label);
  const field = (await page.evaluateHandle(find, label)).asElement();
  if (!field) throw new Error(`no field “${label}”`);
  await field.evaluate(
    (one, value) => {
      const input = /** @type {HTMLInputElement} */ (one);
      input.focus();
      input.value = value;
      input.dispatchEvent(new Event("input", { bubbles: true }));
    },
    text.length > 80 ? text : "",
  );
  if (text.length <= 80) await page.keyboard.type(text);
}

/** Give a file to the page. @param {Page} page @param {string} path */
export async function attach(page, path) {
  await until(page, "a place for a file", () => document.querySelector("input[type=file]"), null);
  const input = await page.$("input[type=file]");
  if (!input) throw new Error("no place for a file");
  await /** @type {import("puppeteer-core").ElementHandle<HTMLInputElement>} */ (input).uploadFile(path);
}

/** Change the address and wait until the page has heard of it: until then it shows what was there before.
 * @param {Page} page @param {string} place */
async function turn(page, place) {
  await page.evaluate(
    (hash) =>
      new Promise((done) => {
        const before = location.hash;
        addEventListener("hashchange", () => setTimeout(done), { once: true });
        location.hash = hash;
        if (location.hash === before) done(undefined);
      }),
    `#/${place}`,
  );
}

/** Go to a place of the shell and wait until its heading is there. @param {Page} page @param {string} place */
export async function go(page, place) {
  await turn(page, place);
  await until(page, `the place ${place}`, () => document.querySelector("main h1"), null);
}

/** Open the row of a list that has this text. @param {Page} page @param {string} text */
export async function choose(page, text) {
  /** @param {string} wanted */
  const find = (wanted) => {
    const rows = [...document.querySelectorAll("main li a")];
    return rows.find((row) => row.textContent?.includes(wanted) && row.getClientRects().length > 0) ?? null;
  };
  for (let again = 2; ; again--) {
    await until(page, `a row “${text}”`, find, text);
    // Rows that still change places are not aimed at.
    await until(
      page,
      "the list to come to rest",
      () => !document.querySelector("main [aria-busy=true]"),
      null,
    );
    const row = /** @type {import("puppeteer-core").ElementHandle<HTMLElement>} */ (
      (await page.evaluateHandle(find, text)).asElement()
    );
    const href = await row.evaluate((one) => one.getAttribute("href") ?? "");
    const before = await page.evaluate(() => location.hash);
    await atRest(row);
    await row.click();
    if (again === 0 || !(await missed(page, href, before))) return;
  }
}

/** Whether another row was hit, or none: what comes meanwhile moves its row to the top, under the pointer, or the whole
 * list. A person then presses the right one. @param {Page} page @param {string} href @param {string} before */
async function missed(page, href, before) {
  for (const end = Date.now() + 3_000; Date.now() < end; await pause(50)) {
    const now = await page.evaluate(() => location.hash);
    if (now === href) return false;
    if (now !== before)
      return page.evaluate(
        (open) =>
          [...document.querySelectorAll("main li a")].some((one) => one.getAttribute("href") === open),
        now,
      );
  }
  return href !== "";
}

/** Wait until the open conversation has this message. @param {Page} page @param {string} text */
export async function says(page, text) {
  await until(
    page,
    `the message “${text}”`,
    (wanted) =>
      [...document.querySelectorAll(".bubble .words")].some((one) => one.textContent?.includes(wanted)),
    text,
  );
}

/** Go to a place by its address and wait until it is loaded. @param {Page} page @param {string} place */
export async function visit(page, place) {
  await turn(page, place);
  const heading = { home: "Your box" }[place] ?? (place[0] ?? "").toUpperCase() + place.slice(1);
  await until(
    page,
    `the page ${place}`,
    (text) => document.querySelector("main h1")?.textContent?.startsWith(text),
    heading,
  );
  await settled(page);
}

/** Wait until a secret that was shown once is nowhere in the page. @param {Page} page @param {string} secret */
export async function forgotten(page, secret) {
  const gone = (/** @type {string} */ text) => !document.documentElement.outerHTML.includes(text);
  await until(page, "the secret to go from the page", gone, secret);
}

/** Wait until nothing on the page is still loading. @param {Page} page */
export async function settled(page) {
  await until(page, "the page to be loaded", () => !document.querySelector(".skeleton"), null);
}

/** Show the page in light or dark, up to where no colour changes any more.
 * @param {Page} page @param {"light" | "dark"} theme */
export async function wear(page, theme) {
  await page.evaluate((name) => (document.documentElement.dataset["theme"] = name), theme);
  await pause(250);
  const still = () =>
    !document
      .getAnimations()
      .some((one) => one.playState === "running" && one.effect?.getComputedTiming().endTime !== Infinity);
  await until(page, "the look to come to rest", still, null);
}
