/**
 * Two people and two real browsers: one claims a box, the other comes in by invite (or claims a box of their own),
 * and they hold a conversation: requests, answers, reactions, edits, files, safety numbers, a second device, a new sign-in.
 *
 *   node e2e/people.mjs --base URL --claim URL [--second-base URL --second-claim URL]
 *                       [--browser chromium|firefox] [--second-browser chromium|firefox] [--out DIR] [--look]
 *
 * Without a second box the second person is invited to the first. With --look every page is looked at in both sizes,
 * light and dark. Prints one JSON line: steps with their seconds, problems, screenshots. Leaves with 1 on a problem.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { invite } from "./acts.mjs";
import { newPage as comingPage, openBrowser, SIZES } from "./browser.mjs";
import { Looks } from "./looks.mjs";
import { showOneself, showOneselfGuarded } from "./profile.mjs";
import { attach, choose, fill, go, press, reads, says, until, words } from "./page.mjs";

const { values: wish } = parseArgs({
  options: {
    base: { type: "string" },
    claim: { type: "string" },
    "second-base": { type: "string" },
    "second-claim": { type: "string" },
    browser: { type: "string", default: "chromium" },
    "second-browser": { type: "string", default: "chromium" },
    out: { type: "string", default: join(tmpdir(), "island-people") },
    look: { type: "boolean", default: false },
  },
});
if (!wish.base || !wish.claim) {
  console.error("--base and --claim are needed");
  process.exit(2);
}

/** @typedef {import("puppeteer-core").Page} Page */

const PASSPHRASE = "amber kelp seven lantern";
const PLACES = [
  "people/me",
  "people/add",
  "people/members",
  "people/invites",
  "account/profile",
  "account/devices",
  "account/security",
  "account/privacy",
  "account/data",
  "messages",
];

/** @type {{step: string, seconds: number}[]} */ const steps = [];
/** @type {string[]} */ const problems = [];
/** @type {string[]} */ const shots = [];
/** @type {string[]} */ const errors = [];
let began = Date.now();
const looks = new Looks(wish.out, problems, shots);
mkdirSync(wish.out, { recursive: true });

const first = await openBrowser(wish.browser === "firefox" ? "firefox" : "chromium");
const second = await openBrowser(wish["second-browser"] === "firefox" ? "firefox" : "chromium");
const ada = await newPage(first.browser, wish.base);
const secondBase = wish["second-base"] ?? wish.base;
const marta = await newPage(second.browser, secondBase);
/** @type {string[]} */ let codes = [];
try {
  codes = await step("claim", () => signUp(ada, String(wish.claim), "ada"));
  const link = wish["second-claim"] ?? (await step("invite", () => invite(ada, String(wish.base), "Marta")));
  await step("second person", () => signUp(marta, link, "marta"));
  const address = await step("address", () => ownAddress(marta));
  await step("begin a conversation", () => begin(address));
  await step("first message", firstMessage);
  await step("request", request);
  await step("answer and reaction", answer);
  await step("edit and delete", change);
  await step("a file", file);
  await step("safety numbers", safety);
  await step("a picture and a zone", () => showOneself(ada, marta, "ada"));
  await step("search", search);
  await step("second device", secondDevice);
  await step("sign out and in", again);
  await step("backup code", byCode);
  if (wish.look) for (const place of PLACES) await step(`look at ${place}`, () => looks.place(ada, place));
} catch (error) {
  problems.push(
    `${steps.at(-1)?.step ?? "start"}: ${error instanceof Error ? error.message : String(error)}`,
  );
  await ada.screenshot({ path: join(String(wish.out), "problem-first.png") }).catch(() => {});
  await marta.screenshot({ path: join(String(wish.out), "problem-second.png") }).catch(() => {});
} finally {
  await first.close();
  await second.close();
}
console.log(
  JSON.stringify({ browser: wish.browser, second: wish["second-browser"], steps, problems, errors, shots }),
);
process.exit(problems.length > 0 ? 1 : 0);

/** @template T @param {string} name @param {() => Promise<T>} run @returns {Promise<T>} */
async function step(name, run) {
  began = Date.now();
  const row = { step: name, seconds: 0 };
  steps.push(row);
  try {
    return await run();
  } finally {
    row.seconds = Math.round((Date.now() - began) / 100) / 10;
    if (process.env["TELL"]) console.error(name, row.seconds);
  }
}

/** A page of which nothing may leave its origin, and which may not complain.
 * @param {import("puppeteer-core").Browser} browser @param {string} base @returns {Promise<Page>} */
async function newPage(browser, base) {
  const page = await comingPage(browser);
  const { origin } = new URL(base);
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (!["data:", "blob:", "about:", "ws:"].includes(url.protocol) && url.origin !== origin)
      problems.push(`a request left the origin: ${url.origin}`);
  });
  page.on("pageerror", (error) => problems.push(`the page failed: ${String(error)}`));
  page.on("console", (message) => {
    if (/Content.Security.Policy/i.test(message.text())) problems.push(`blocked: ${message.text()}`);
    else if (message.type() === "error") errors.push(message.text().slice(0, 200));
  });
  await page.setViewport(SIZES.desktop);
  return page;
}

/** A new account, to its first empty list of conversations. @returns {Promise<string[]>} the backup codes
 * @param {Page} page @param {string} link @param {string} name */
async function signUp(page, link, name) {
  await page.goto(link);
  await until(page, "the door", () => document.querySelectorAll("form input").length >= 3, null);
  if (name === "ada") await looks.both(page, "claim");
  await fill(page, "Name", name);
  await fill(page, "Passphrase", PASSPHRASE);
  await fill(page, "Passphrase again", PASSPHRASE);
  await page.keyboard.press("Enter");
  await reads(page, "Your backup codes");
  await until(page, "eight codes", () => document.querySelectorAll("ol li").length === 8, null);
  if (name === "ada") await looks.both(page, "codes");
  const made = await page.$$eval("ol li", (all) => all.map((one) => one.textContent?.trim() ?? ""));
  await press(page, "I have kept them");
  await press(page, "Go on");
  await reads(page, "No conversations yet");
  if (/claim|invite/.test(page.url())) problems.push("the secret of the link stays in the address");
  return made;
}

/** @param {Page} page */
async function ownAddress(page) {
  await go(page, "people/me");
  await until(page, "the own address", () => document.querySelector(".whole"), null);
  const text = await page.$eval(".whole", (one) => one.textContent?.replace(/\s/g, "") ?? "");
  if (!/^marta@[a-z2-7]{56}\.onion$/.test(text)) problems.push(`the address has another form: ${text}`);
  return text;
}

/** @param {string} address */
async function begin(address) {
  await go(ada, "people/add");
  await fill(ada, "Address", "marta@nowhere");
  await ada.keyboard.press("Tab");
  await press(ada, "Begin conversation");
  await reads(ada, "This is no address");
  await fill(ada, "Address", address);
  await press(ada, "Begin conversation");
  await until(ada, "the conversation", () => document.querySelector(".composer textarea"), null);
}

/** What is typed survives a reload; Enter sends. */
async function firstMessage() {
  await fill(ada, "", "The boat leaves at sevn.");
  await holds(ada, "The boat leaves at sevn.");
  await ada.reload();
  await holds(ada, "The boat leaves at sevn.");
  await ada.focus(".composer textarea");
  await ada.keyboard.press("Enter");
  await says(ada, "The boat leaves at sevn.");
}

/** Wait until the field one writes in holds this. @param {Page} page @param {string} text */
async function holds(page, text) {
  await until(
    page,
    `the field to hold “${text}”`,
    (wanted) =>
      /** @type {HTMLTextAreaElement | null} */ (document.querySelector(".composer textarea"))?.value ===
      wanted,
    text,
  );
}

async function request() {
  await go(marta, "messages");
  await reads(marta, "Would like to write to you");
  await choose(marta, "ada");
  await says(marta, "The boat leaves at sevn.");
  await looks.both(marta, "request");
  await press(marta, "Accept");
  await until(marta, "the composer", () => document.querySelector(".composer textarea"), null);
}

async function answer() {
  await fill(marta, "", "Thank you, I shall be there.");
  await marta.keyboard.press("Enter");
  await says(ada, "Thank you, I shall be there.");
  await message(ada, "Thank you");
  await ada.keyboard.press("+");
  await until(ada, "the signs", () => document.querySelector(".picker button"), null);
  await ada.keyboard.press("Enter");
  await until(marta, "the reaction", () => document.querySelector(".reactions button"), null);
  await message(ada, "Thank you");
  await ada.keyboard.press("r");
  await reads(ada, "Answer to");
  await ada.keyboard.type("Bring the warm coat.");
  await ada.keyboard.press("Enter");
  await says(marta, "Bring the warm coat.");
  await until(marta, "the quoted message", () => document.querySelector(".bubble .quote"), null);
  await until(
    ada,
    "“Read” or “Delivered”",
    () => /Read|Delivered/.test(document.querySelector("main ol li:last-child .state")?.textContent ?? ""),
    null,
  );
}

async function change() {
  await message(ada, "The boat leaves");
  await ada.keyboard.press("e");
  await reads(ada, "You are editing");
  await fill(ada, "", "The boat leaves at seven.");
  await ada.keyboard.press("Enter");
  await says(marta, "The boat leaves at seven.");
  await reads(marta, "edited");
  await message(ada, "Bring the warm");
  await ada.keyboard.press("Delete");
  await press(ada, "Delete for everyone");
  await reads(marta, "This message was deleted.");
}

async function file() {
  const path = join(String(wish.out), "sea-chart.txt");
  writeFileSync(path, "Twelve fathoms, sand and shells.\n".repeat(2_000));
  await attach(ada, path);
  await reads(ada, "Send this file?");
  await press(ada, "Send");
  await reads(marta, "sea-chart.txt");
  await until(
    marta,
    "the way to save it",
    () => document.querySelector('.file [aria-label^="Save file"]'),
    null,
  );
  const content = await marta.evaluate(async () => {
    const make = URL.createObjectURL.bind(URL);
    const made = new Promise((done) => {
      URL.createObjectURL = (blob) => {
        if (blob instanceof Blob) void blob.text().then(done);
        return make(blob);
      };
    });
    /** @type {HTMLElement} */ (document.querySelector('.file [aria-label^="Save file"]')).click();
    return made;
  });
  if (!String(content).startsWith("Twelve fathoms")) problems.push("the file arrived with another content");
  await looks.both(marta, "conversation");
}

/** Both see the same sixty digits. */
async function safety() {
  /** @type {string[]} */ const seen = [];
  for (const [page, name] of /** @type {const} */ ([
    [ada, "marta"],
    [marta, "ada"],
  ])) {
    await go(page, "people");
    await choose(page, name);
    await until(page, "the number", () => document.querySelectorAll(".digits li").length === 12, null);
    seen.push(await page.$eval(".digits", (one) => one.textContent?.replace(/\D/g, "") ?? ""));
  }
  if (seen[0] !== seen[1] || seen[0]?.length !== 60) problems.push(`the safety numbers differ: ${seen}`);
  await press(ada, "They are the same");
  await reads(ada, "is verified.");
  await looks.both(ada, "person");
}

async function search() {
  await go(ada, "messages");
  await until(ada, "the search", () => document.querySelector(".search input"), null);
  await ada.focus(".search input");
  await ada.keyboard.type("be there");
  await reads(ada, "1 message found");
  await choose(ada, "be there");
  await says(ada, "I shall be there.");
  await go(ada, "messages");
}

/** One link lets a second browser in, once, and it has the conversation. */
async function secondDevice() {
  await go(ada, "account/devices");
  await press(ada, "Add a device");
  await until(ada, "the link", () => document.querySelector("dialog .secret"), null);
  const url = await ada.$eval("dialog .secret", (one) => one.textContent?.trim() ?? "");
  await press(ada, "Close");
  const third = await openBrowser("firefox", { jit: true, guarded: true });
  try {
    const page = await newPage(third.browser, String(wish.base));
    await page.goto(`${new URL(String(wish.base)).origin}/${new URL(url).hash}`);
    await reads(page, "Add this device");
    await press(page, "Add this device");
    await reads(page, "marta");
    await choose(page, "marta");
    await says(page, "Thank you, I shall be there.");
    await fill(page, "", "From my telephone.");
    await page.keyboard.press("Enter");
    await says(page, "From my telephone.");
    await until(
      page,
      "the message to leave",
      () =>
        /box|Delivered|Read/.test(document.querySelector("main ol li:last-child .state")?.textContent ?? ""),
      null,
    );
    await go(marta, "messages");
    await choose(marta, "ada");
    await says(marta, "From my telephone.");
    await go(ada, "messages");
    await choose(ada, "marta");
    await says(ada, "From my telephone.");
    await showOneselfGuarded(page, marta, "ada", String(wish.out));
  } catch (error) {
    const page = (await third.browser.pages()).at(-1);
    await page?.screenshot({ path: join(String(wish.out), "problem-third.png") }).catch(() => {});
    throw error;
  } finally {
    await third.close();
  }
}

/** The browser forgets everything; the archive has it all. */
async function again() {
  await go(ada, "account");
  await press(ada, "Sign out");
  await reads(ada, "Welcome back");
  await looks.both(ada, "sign-in");
  await fill(ada, "Name", "ada");
  await fill(ada, "Passphrase", "not the passphrase");
  await ada.keyboard.press("Enter");
  await reads(ada, "The name, the passphrase or the code is wrong.");
  await fill(ada, "Passphrase", PASSPHRASE);
  await ada.keyboard.press("Enter");
  await go(ada, "messages");
  await reads(ada, "marta");
  await choose(ada, "marta");
  await says(ada, "Thank you, I shall be there.");
  if (/\b[a-z]+_[a-z]+\b/.test(await words(ada))) problems.push("a bare code is shown");
}

/** The passphrase is lost: one code opens everything. */
async function byCode() {
  await go(ada, "account");
  await press(ada, "Sign out");
  await reads(ada, "Welcome back");
  await press(ada, "Sign in with a backup code");
  await fill(ada, "Name", "ada");
  await fill(ada, "Backup code", (codes[0] ?? "").toLowerCase().replaceAll("-", " "));
  await ada.keyboard.press("Enter");
  await reads(ada, "Choose a new passphrase now");
  await press(ada, "Change passphrase");
  await until(ada, "the page to do it on", () => location.hash === "#/account/security", null);
  await until(ada, "the notice to go", () => !document.querySelector("main .note"), null);
  await press(ada, "Change passphrase");
  await fill(ada, "New passphrase", `${PASSPHRASE} two`);
  await fill(ada, "Passphrase again", `${PASSPHRASE} two`);
  await ada.keyboard.press("Enter");
  await reads(ada, "The passphrase was changed.");
  await go(ada, "messages");
  await choose(ada, "marta");
  await says(ada, "Thank you, I shall be there.");
}

/** Put the focus on the message that begins so, as one who walks there by arrows.
 * @param {Page} page @param {string} text */
async function message(page, text) {
  await page.evaluate((wanted) => {
    const all = [...document.querySelectorAll("main ol li")];
    const one = all.findLast((each) => each.querySelector(".words")?.textContent?.startsWith(wanted));
    /** @type {HTMLElement | undefined} */ (one)?.focus();
  }, text);
}
