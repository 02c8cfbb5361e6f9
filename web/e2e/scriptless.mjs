/**
 * A person at a page whose browser runs no scripts: mouse and keyboard only. What is read from the page runs in the
 * driver's own realm and must end at once, since no timer and no promise of the page ever comes back.
 */

/** @typedef {import("puppeteer-core").Page} Page */

/** Over Tor, and on a busy machine, a page takes its time. */
const DEADLINE = 300_000;
const PAUSE = 100;

const pause = () => new Promise((done) => setTimeout(done, PAUSE));

/** What `look` finds in the page, as soon as it is something. @template T
 * @param {Page} page @param {string} what @param {(argument: any) => T | null} look @param {unknown} [argument]
 * @returns {Promise<T>} */
export async function found(page, what, look, argument = null) {
  const end = Date.now() + DEADLINE;
  for (;;) {
    // While one page goes and the next one comes there is nothing to look at.
    const seen = await page.evaluate(look, argument).catch(() => null);
    if (seen) return /** @type {T} */ (seen);
    if (Date.now() > end) throw new Error(`waited in vain for ${what}; the page says: ${await words(page)}`);
    await pause();
  }
}

/** The text one can see. @param {Page} page */
export async function words(page) {
  return page.evaluate(() => document.body.innerText.replace(/\s+/g, " ")).catch(() => "");
}

/** Wait until `text` can be read. @param {Page} page @param {string} text */
export async function reads(page, text) {
  await found(page, `“${text}”`, (wanted) => document.body.innerText.includes(wanted), text);
}

/** Do what leads to another page, and wait for that. @param {Page} page @param {() => Promise<unknown>} act */
export async function turn(page, act) {
  await page.evaluate(() => document.documentElement.setAttribute("data-old", ""));
  await act();
  await found(page, "another page", () => {
    const here = document.documentElement;
    return (
      !here.hasAttribute("data-old") && document.readyState === "complete" && document.body.innerText !== ""
    );
  });
}

/** The middle of the control named `name`, on the screen. @param {Page} page @param {string} name */
async function place(page, name) {
  return found(
    page,
    `a control “${name}”`,
    (wanted) => {
      // What one does on a page comes before the ways to other pages.
      const all = ["main button", "main a, label, summary", "button, a"].flatMap((kind) => [
        ...document.querySelectorAll(kind),
      ]);
      const one = all.find((each) => {
        const own = each.getAttribute("aria-label") ?? each.textContent ?? "";
        return own.replace(/\s+/g, " ").trim().startsWith(wanted) && each.getClientRects().length > 0;
      });
      one?.scrollIntoView({ block: "center" });
      const box = one?.getClientRects()[0];
      return box ? { x: box.x + box.width / 2, y: box.y + box.height / 2 } : null;
    },
    name,
  );
}

/** Press a button or a link, which leads to another page. @param {Page} page @param {string} name */
export async function press(page, name) {
  const { x, y } = await place(page, name);
  await turn(page, () => page.mouse.click(x, y));
}

/** Tick a box by its words. @param {Page} page @param {string} name */
export async function tick(page, name) {
  const { x, y } = await place(page, name);
  await page.mouse.click(x, y);
}

/** Type into a field, in place of what is there. @param {Page} page @param {string} label @param {string} text */
export async function fill(page, label, text) {
  const { x, y } = await found(
    page,
    `a field “${label}”`,
    (wanted) => {
      const all = [...document.querySelectorAll("label")];
      const exact = all.find((one) => one.textContent?.trim() === wanted);
      const field = (exact ?? all.find((one) => one.textContent?.trim().startsWith(wanted)))?.control;
      field?.scrollIntoView({ block: "center" });
      const box = field?.getClientRects()[0];
      return box ? { x: box.x + box.width / 2, y: box.y + Math.min(box.height / 2, 20) } : null;
    },
    label,
  );
  await page.mouse.click(x, y);
  await page.keyboard.down("Control");
  await page.keyboard.press("a");
  await page.keyboard.up("Control");
  await page.keyboard.press("Delete");
  await page.keyboard.type(text);
}

/** What stands in a field now. @param {Page} page @param {string} id */
export async function value(page, id) {
  return page.evaluate(
    (wanted) => /** @type {HTMLInputElement | null} */ (document.getElementById(wanted))?.value,
    id,
  );
}
