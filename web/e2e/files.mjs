/**
 * Files and voices between two real browsers: Chromium, and Firefox as at "Safer". Uploads whose browser is killed
 * in the middle are finished after the return; voices of either are heard, sample by sample, in the other.
 *
 *   node e2e/files.mjs --base URL --claim URL --sound WAV [--out DIR]
 *
 * Prints one JSON line: steps with their seconds, problems, screenshots. Leaves with 1 on a problem.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as acts from "./acts.mjs";
import { openBrowser, SIZES } from "./browser.mjs";
import { Looks } from "./looks.mjs";
import { attach, fill, go, press, reads, until } from "./page.mjs";
import * as sound from "./sound.mjs";

const { values: wish } = parseArgs({
  options: {
    base: { type: "string", default: "" },
    claim: { type: "string", default: "" },
    sound: { type: "string", default: "" },
    out: { type: "string", default: join(tmpdir(), "island-files") },
  },
});

/** @typedef {import("puppeteer-core").Page} Page */

const PASSPHRASE = "amber kelp seven lantern";
/** Parts that get through before the browser is killed: of large files, at least one in three. */
const THROUGH = 1;

/** @type {{step: string, seconds: number}[]} */ const steps = [];
/** @type {string[]} */ const problems = [];
/** @type {string[]} */ const shots = [];
/** @type {string[]} */ const errors = [];
const log = { problems, errors };
mkdirSync(wish.out, { recursive: true });
const looks = new Looks(wish.out, problems, shots);

const profile = join(wish.out, "profile");
let chromium = await openBrowser("chromium", { sound: wish.sound, profile });
let firefox = await openBrowser("firefox", { hum: true });
let ada = await acts.openPage(chromium.browser, wish.base, "ada", log);
let marta = await acts.openPage(firefox.browser, wish.base, "marta", log);
try {
  await step("two people", twoPeople);
  await step("a browser that remembers is killed", remembering);
  await step("a browser that forgets is killed", forgetting);
  await step("a voice from Chromium", () => voice(ada, marta, { pitch: 440 }));
  await step("a voice from Firefox", () => voice(marta, ada, {}));
} catch (error) {
  problems.push(`${steps.at(-1)?.step}: ${error instanceof Error ? error.message : String(error)}`);
  await ada.screenshot({ path: join(wish.out, "problem-ada.png") }).catch(() => {});
  await marta.screenshot({ path: join(wish.out, "problem-marta.png") }).catch(() => {});
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

async function twoPeople() {
  for (const page of [ada, marta]) await page.setViewport(SIZES.desktop);
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
  await acts.write(marta, "I shall be there.");
}

/** Record, send, and hear at the other side what was recorded.
 * @param {Page} from @param {Page} to @param {{pitch?: number}} wanted */
async function voice(from, to, { pitch }) {
  await press(from, "Record a voice message");
  await sound.lasts(from, 3);
  await press(from, "Send voice message");
  await sound.there(to);
  const heard = await sound.decoded(to);
  const was = JSON.stringify(heard);
  if (Math.abs(heard.seconds - heard.told) > 1.1) problems.push(`the voice lasts another time: ${was}`);
  if (heard.loudness < 0.01) problems.push(`the voice is silent: ${was}`);
  if (pitch && Math.abs(heard.pitch - pitch) > 15) problems.push(`not ${pitch} Hz: ${was}`);
  if (heard.peaks < 10 || heard.tallest < 20) problems.push(`no waveform: ${was}`);
  problems.push(...(await sound.keys(to)));
  await looks.both(to, pitch ? "voice-in-firefox" : "voice-in-chromium");
}

/** Send a file, of which only the first parts get through.
 * @param {Page} page @param {string} name @param {number} size @returns {Promise<{path: string, digest: string}>} */
async function sendHalf(page, name, size) {
  const path = join(wish.out, name);
  const content = randomBytes(size);
  writeFileSync(path, content);
  await page.setRequestInterception(true);
  let parts = 0;
  page.on("request", (request) => {
    const { pathname } = new URL(request.url());
    if (pathname === "/v1/kept" && ++parts > THROUGH) return;
    request.continue().catch(() => {});
  });
  await attach(page, path);
  await press(page, "Send");
  await until(
    page,
    "the upload to be half done",
    () => /Being sent: [1-9]/.test(document.body.innerText),
    null,
  );
  for (const end = Date.now() + 300_000; parts <= THROUGH;) {
    if (Date.now() > end) throw new Error("nothing was handed over");
    await new Promise((again) => setTimeout(again, 50));
  }
  return { path, digest: createHash("sha256").update(content).digest("hex") };
}

/** Kill the whole browser. @param {import("puppeteer-core").Browser} browser */
async function kill(browser) {
  const process = browser.process();
  const gone = new Promise((done) => process?.once("exit", done));
  process?.kill("SIGKILL");
  await gone;
}

/** Save the newest file of that name; its digest. @param {Page} page @param {string} name */
async function digestOf(page, name) {
  await until(
    page,
    `the way to save ${name}`,
    (wanted) => document.querySelector(`.file [aria-label="Save file ${wanted}"]`),
    name,
  );
  return page.evaluate(async (wanted) => {
    const make = URL.createObjectURL.bind(URL);
    const made = new Promise((done) => {
      URL.createObjectURL = (blob) => {
        if (blob instanceof Blob) done(blob);
        return make(blob);
      };
    });
    /** @type {HTMLElement} */ (document.querySelector(`.file [aria-label="Save file ${wanted}"]`)).click();
    const blob = /** @type {Blob} */ (await made);
    URL.createObjectURL = make;
    const digest = await crypto.subtle.digest("SHA-256", await blob.arrayBuffer());
    return [...new Uint8Array(digest)].map((one) => one.toString(16).padStart(2, "0")).join("");
  }, name);
}

/** Come back after a crash, signing in where the browser does not know one any more.
 * @param {Page} page @param {string} name @param {string} other */
async function comeBack(page, name, other) {
  await page.setViewport(SIZES.desktop);
  await page.goto(wish.base);
  await until(page, "the door or the rail", () => document.querySelector("form input, nav a"), null);
  if (await page.$("form input[autocomplete=username]")) await acts.signIn(page, wish.base, name, PASSPHRASE);
  // The list moves while the vault is read: what is pressed there may be another row by then.
  await go(page, "messages");
  await until(page, `the row of ${other}`, openRow, other);
  await until(page, "the conversation", () => document.querySelector("article.talk"), null);
}

/** @param {string} name */
function openRow(name) {
  const row = [...document.querySelectorAll("main li a")].find((one) => one.textContent?.includes(name));
  /** @type {HTMLElement | undefined} */ (row)?.click();
  return row !== undefined && document.querySelector("article.talk");
}

/** Its sealed copy goes on by itself. */
async function remembering() {
  await acts.converse(ada, "marta");
  const { digest } = await sendHalf(ada, "chart.bin", 4_000_000);
  await looks.both(ada, "sending");
  await kill(chromium.browser);
  chromium = await openBrowser("chromium", { sound: wish.sound, profile });
  ada = await acts.openPage(chromium.browser, wish.base, "ada", log);
  await comeBack(ada, "ada", "marta");
  await until(ada, "the upload to end", () => !/Being sent|Not sent/.test(document.body.innerText), null);
  if ((await digestOf(marta, "chart.bin")) !== digest) problems.push("chart.bin arrived changed");
}

/** It says that the file is needed again, and knows the right one. */
async function forgetting() {
  await acts.converse(marta, "ada");
  const { path, digest } = await sendHalf(marta, "raft.bin", 1_200_000);
  await kill(firefox.browser);
  firefox = await openBrowser("firefox", { hum: true });
  marta = await acts.openPage(firefox.browser, wish.base, "marta", log);
  await comeBack(marta, "marta", "ada");
  await reads(marta, "The file is needed again.");
  for (const size of Object.values(SIZES)) {
    await marta.setViewport(size);
    await looks.both(marta, `needed-${size.name}`);
  }
  const other = join(wish.out, "other.bin");
  writeFileSync(other, randomBytes(1_200_000));
  const input = () => marta.$(".unsent input[type=file]");
  await /** @type {any} */ (await input()).uploadFile(other);
  await reads(marta, "That is another file");
  await /** @type {any} */ (await input()).uploadFile(path);
  await until(marta, "the upload to end", () => !/Being|needed again/.test(document.body.innerText), null);
  if ((await digestOf(ada, "raft.bin")) !== digest) problems.push("raft.bin arrived changed");
}
