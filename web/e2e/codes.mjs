/**
 * Codes are looked at: Chromium has a camera before which they are held, Firefox as at "Safer" has none and takes
 * pictures. Safety numbers that fit and that do not, and links that let devices in.
 *
 *   node e2e/codes.mjs --base URL --claim URL [--out DIR]
 *
 * Prints one JSON line: steps with their seconds, problems, screenshots. Leaves with 1 on a problem.
 */
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as acts from "./acts.mjs";
import { openBrowser, SIZES } from "./browser.mjs";
import { film, made, picture, shown } from "./film.mjs";
import { Looks } from "./looks.mjs";
import { choose, fill, go, press, reads, until } from "./page.mjs";

const { values: wish } = parseArgs({
  options: {
    base: { type: "string", default: "" },
    claim: { type: "string", default: "" },
    out: { type: "string", default: join(tmpdir(), "island-codes") },
  },
});

/** @typedef {import("puppeteer-core").Page} Page */

const PASSPHRASE = "amber kelp seven lantern";
const WRONG = made(`ISLAND-SAFETY:${"A".repeat(102)}Q`);

/** @type {{step: string, seconds: number}[]} */ const steps = [];
/** @type {string[]} */ const problems = [];
/** @type {string[]} */ const shots = [];
/** @type {string[]} */ const errors = [];
const log = { problems, errors };
mkdirSync(wish.out, { recursive: true });
const looks = new Looks(wish.out, problems, shots);
const camera = join(wish.out, "camera.y4m");
film(camera, made("nothing yet"));

const chromium = await openBrowser("chromium", { camera });
const firefox = await openBrowser("firefox");
const ada = await window();
const marta = await window();
const far = await acts.openPage(firefox.browser, wish.base, "far", log);
let current = ada;
try {
  await step("two people", twoPeople);
  await step("safety numbers before the camera", beforeCamera);
  await step("a link before the camera", linkBeforeCamera);
  await step("a link in a picture", linkInPicture);
  await step("nothing moves while it opens", opening);
  await step("safety numbers in pictures", inPictures);
  await step("no microphone", noMicrophone);
} catch (error) {
  problems.push(`${steps.at(-1)?.step}: ${error instanceof Error ? error.message : String(error)}`);
  await current.screenshot({ path: join(wish.out, "problem.png") }).catch(() => {});
} finally {
  await chromium.close();
  await firefox.close();
}
console.log(JSON.stringify({ steps, problems, errors, shots }));
process.exit(problems.length > 0 ? 1 : 0);

/** @template T @param {string} name @param {() => Promise<T>} run @returns {Promise<T>} */
async function step(name, run) {
  const began = Date.now();
  const row = { step: name, seconds: 0 };
  steps.push(row);
  try {
    return await run();
  } finally {
    row.seconds = Math.round((Date.now() - began) / 100) / 10;
    if (process.env["TELL"]) console.error(name, row.seconds);
  }
}

/** A window of Chromium that knows nothing of the others. @returns {Promise<Page>} */
async function window() {
  const context = await chromium.browser.createBrowserContext();
  const page = await acts.openPage(/** @type {any} */ (context), wish.base, "chromium", log);
  await page.setViewport(SIZES.desktop);
  return page;
}

async function twoPeople() {
  await acts.signUp(ada, wish.claim, "ada", PASSPHRASE);
  await go(ada, "people/invites");
  await press(ada, "Invite somebody");
  await fill(ada, "For whom?", "Marta");
  await press(ada, "Make invite");
  await until(ada, "the link", () => document.querySelector("dialog .secret"), null);
  const link = await ada.$eval("dialog .secret", (one) => one.textContent?.trim() ?? "");
  await press(ada, "I have handed it over");
  await acts.signUp(marta, `${new URL(wish.base).origin}/${new URL(link).hash}`, "marta", PASSPHRASE);
  await acts.begin(ada, await acts.ownAddress(marta));
  await acts.write(ada, "The boat leaves at seven.");
  await acts.accept(marta, "ada", "The boat leaves at seven.");
}

/** The code of the safety number as somebody's screen shows it. @param {Page} page @param {string} name */
async function safety(page, name) {
  await go(page, "people");
  await choose(page, name);
  await press(page, "Show code");
  return shown(page);
}

/** Hold a code before the camera, and open the place where it is looked at.
 * @param {Page} page @param {import("./film.mjs").Code} code */
async function hold(page, code) {
  await press(page, "Numbers");
  film(camera, code);
  await press(page, "Scan");
}

async function beforeCamera() {
  const right = await safety(marta, "ada");
  await go(ada, "people");
  await choose(ada, "marta");
  await hold(ada, made("https://example.org/"));
  await reads(ada, "This is no safety code.");
  await hold(ada, WRONG);
  await reads(ada, "The code does NOT fit.");
  await looks.both(ada, "differs");
  await hold(ada, right);
  await reads(ada, "The code is right: marta is verified.");
  for (const size of Object.values(SIZES)) {
    await ada.setViewport(size);
    await looks.both(ada, `scan-${size.name}`);
  }
}

/** The code of a link that lets one more device of ada in. */
async function deviceLink() {
  await go(ada, "account/devices");
  await press(ada, "Add a device");
  const code = await shown(ada);
  await press(ada, "Close");
  return code;
}

async function linkBeforeCamera() {
  const third = (current = await window());
  await third.goto(wish.base);
  film(camera, made("ISLAND"));
  await press(third, "Scan the code of another device");
  await reads(third, "none that adds a device");
  await looks.both(third, "scan-link");
  await press(third, "Sign in with the passphrase");
  // A link lasts five minutes.
  film(camera, await deviceLink());
  await press(third, "Scan the code of another device");
  await press(third, "Add this device");
  await reads(third, "marta");
}

/** Give a picture of a code to the page. @param {Page} page @param {import("./film.mjs").Code} code */
async function give(page, code) {
  const path = join(wish.out, "picture.bmp");
  picture(path, code);
  await until(page, "a place for a picture", () => document.querySelector("input[accept='image/*']"), null);
  const input = await page.$("input[accept='image/*']");
  await /** @type {import("puppeteer-core").ElementHandle<HTMLInputElement>} */ (input).uploadFile(path);
}

async function linkInPicture() {
  current = far;
  await far.setViewport(SIZES.desktop);
  await far.goto(wish.base);
  await press(far, "Scan the code of another device");
  await reads(far, "Choose a picture");
  await looks.both(far, "no-camera");
  await give(far, [[true]]);
  await reads(far, "No code was found in this picture.");
  await give(far, await deviceLink());
  await press(far, "Add this device");
  await reads(far, "marta");
}

/** What is to be pressed stays where it is, though it is told at the edge that something is still looked at. */
async function opening() {
  await go(far, "people");
  await choose(far, "marta");
  await far.reload();
  const moved = await far.evaluate(async () => {
    const found = [];
    let before = { is: false, y: NaN };
    for (let calm = 0; calm < 60; await new Promise(requestAnimationFrame)) {
      const tab = document.querySelector("[data-tab=scan]");
      const is = document.querySelector("main [role=progressbar]") !== null;
      const y = tab ? Math.round(tab.getBoundingClientRect().y) : NaN;
      if (is !== before.is && !isNaN(y) && !isNaN(before.y) && y !== before.y)
        found.push(`${before.y}, ${y}`);
      before = { is, y };
      calm = tab && !is ? calm + 1 : 0;
    }
    return found;
  });
  for (const one of moved) problems.push(`the tabs moved when the progress came or went: ${one}`);
}

async function inPictures() {
  const right = await safety(marta, "ada");
  await go(far, "people");
  await choose(far, "marta");
  await press(far, "Scan");
  await give(far, WRONG);
  await reads(far, "The code does NOT fit.");
  await give(far, right);
  await reads(far, "The code is right: marta is verified.");
  await looks.both(far, "pictures");
}

async function noMicrophone() {
  await acts.converse(far, "marta");
  await press(far, "Record a voice message");
  await reads(far, "microphone");
  await looks.both(far, "no-microphone");
}
