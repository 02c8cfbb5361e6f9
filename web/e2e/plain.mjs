/**
 * The pages without scripts in a Firefox that runs none, as Tor Browser at "Safest": by mouse and by keyboard. What is
 * not done in a browser (an invite, the box stopping and starting) is asked for as in journey.mjs.
 *
 *   node e2e/plain.mjs --base URL --out DIR [--claim URL] [--invite CODE] [--socks PORT] [--look]
 *
 * With --claim the box is made one's own; with --invite somebody comes in, is signed in and out, loses the sign-in in
 * the middle of a form. --look draws every page with scripts on, for what only scripts can check: barriers, widths, the
 * walk by keyboard. The last line is {steps, problems, shots}; leaves with 1 on a problem.
 */
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { newPage, openBrowser, SIZES } from "./browser.mjs";
import { keyboardGaps, tooWide } from "./checks.mjs";
import { Looks } from "./looks.mjs";
import * as client from "./page.mjs";
import { fill, found, press, reads, tick, turn, value, words } from "./scriptless.mjs";

const { values: wish } = parseArgs({
  options: {
    base: { type: "string", default: "" },
    claim: { type: "string", default: "" },
    invite: { type: "string", default: "" },
    socks: { type: "string", default: "0" },
    out: { type: "string", default: join(tmpdir(), "island-plain") },
    look: { type: "boolean", default: false },
  },
});

/** @typedef {import("puppeteer-core").Page} Page */

const PASSPHRASE = "amber kelp seven lantern";
const FRESH = "quiet harbour eleven stone";
/** Milliseconds within which the box finds what was posted. */
const INDEXED = 120_000;
const base = new URL(wish.base).origin;
/** @type {string[]} */ const problems = [];
/** @type {string[]} */ const shots = [];
/** @type {{step: string, seconds: number}[]} */ const steps = [];
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
mkdirSync(wish.out, { recursive: true });

const seat = await openBrowser("firefox", { scripts: false, socks: Number(wish.socks) });
const page = await newPage(seat.browser);
try {
  await page.setViewport(SIZES.phone);
  await step("the client says what to do without scripts", noScripts);
  if (wish.claim) await step("the box is claimed by its pasted link", claim);
  if (wish.invite) await member();
} catch (error) {
  problems.push(
    `${steps.at(-1)?.step ?? "start"}: ${error instanceof Error ? error.message : String(error)}`,
  );
  await page.screenshot({ path: join(wish.out, "problem.png") }).catch(() => {});
} finally {
  await seat.close().catch(() => {});
}
if (wish.look && problems.length === 0)
  await look().catch((error) => problems.push(`looking: ${error instanceof Error ? error.stack : error}`));
console.log(JSON.stringify({ steps, problems, shots }));
process.exit(problems.length > 0 ? 1 : 0);

async function noScripts() {
  await page.goto(`${base}/#/invite/never-sent`);
  await reads(page, "This page needs JavaScript.");
  await shot("no-scripts");
  await press(page, "Go on without JavaScript");
  await reads(page, "What you should know first");
}

async function claim() {
  await press(page, "I have the link: make this box mine");
  await fill(page, "One-time link", wish.claim);
  await fill(page, "Name", "ada");
  await fill(page, "Passphrase", PASSPHRASE);
  await fill(page, "Passphrase again", PASSPHRASE);
  await press(page, "Make it mine");
  await writeDown();
  await reads(page, "owner");
  await press(page, "Sign out");
  await reads(page, "You are signed out");
}

async function member() {
  const codes = await step("an account by invite, by keyboard alone", byInvite);
  await step("languages and looks", languages);
  await step("the second factor is drawn", async () => {
    await press(page, "Second factor");
    await fill(page, "Passphrase", PASSPHRASE);
    await press(page, "Set it up");
    const drawn = () => (document.querySelector("img")?.naturalWidth ?? 0) > 100 || null;
    await found(page, "the QR code", drawn);
    await shot("second-factor");
    await page.goto(`${base}/plain/account`);
  });
  await step("a thread is begun, previewed, answered and found", boards);
  await step("a sign-in that ran out is renewed in the middle of a form", async () => {
    await press(page, "Change the passphrase");
    await fill(page, "Present passphrase", PASSPHRASE);
    await fill(page, "New passphrase", FRESH);
    await fill(page, "New passphrase again", FRESH);
    await ask("again"); // the box knows no access token after a new start
    await press(page, "Change it");
    await reads(page, "The passphrase was changed.");
  });
  await step("a sign-in that has ended loses nothing that was typed", async () => {
    await press(page, "Delete the account");
    await fill(page, "Type your name", "ann without scripts");
    await fill(page, "Passphrase", FRESH);
    await ask("end sign-ins");
    await press(page, "Delete everything");
    await reads(page, "Your sign-in has ended.");
    await fill(page, "Name", "ann");
    await fill(page, "Passphrase", "not the passphrase");
    await press(page, "Sign in");
    await reads(page, "The name, the passphrase or the code is wrong.");
    await shot("sign-in-again");
    await fill(page, "Passphrase", FRESH);
    await press(page, "Sign in");
    await reads(page, "nothing you typed is lost");
    const name = await value(page, "name");
    if (name !== "ann without scripts") problems.push(`what was typed is lost: ${name}`);
  });
  await step("a backup code", async () => {
    await press(page, "Sign out");
    await page.goto(`${base}/plain/code`);
    await fill(page, "Name", "ann");
    await fill(page, "Backup code", (codes[0] ?? "").toLowerCase().replaceAll("-", " "));
    await fill(page, "New passphrase", PASSPHRASE);
    await fill(page, "New passphrase again", PASSPHRASE);
    await press(page, "Sign in and change the passphrase");
    await reads(page, "the new passphrase holds");
    await shot("account");
  });
  if (/\b[a-z]+_[a-z]+\b/.test(await words(page))) problems.push("a bare code is shown");
}

async function boards() {
  await press(page, "Boards");
  await shot("boards");
  await press(page, "Harbour");
  await press(page, "Begin a thread");
  await fill(page, "Subject", "The ferry");
  await fill(page, "What you write", "It leaves at *nine*. **Do not** be late.");
  await press(page, "Preview");
  const slanted = () => document.querySelector(".words em")?.textContent === "nine";
  await found(page, "the preview", slanted);
  await shot("preview");
  await press(page, "Post it");
  await reads(page, "the box vouches for ann");
  await fill(page, "What you write", "I shall be there.");
  await press(page, "Post it");
  await reads(page, "I shall be there.");
  await shot("thread");
  await press(page, "Change");
  await fill(page, "What you write", "It leaves at ten.");
  await ask("again"); // in the middle of it
  await press(page, "Save the change");
  await reads(page, "It leaves at ten.");
  // The box reads for its search what was posted, but not at once.
  const end = Date.now() + INDEXED;
  while (Date.now() < end && !(await words(page)).includes("The ferry It leaves"))
    await page.goto(`${base}/plain/search?q=leav`);
  await reads(page, "It leaves at ten.");
  await press(page, "The ferry");
  await press(page, "Delete");
  await press(page, "Delete the post");
  await reads(page, "The post is deleted.");
  await page.goto(`${base}/plain/account`);
}

async function byInvite() {
  await page.goto(`${base}/plain/invite/${wish.invite}`);
  await reads(page, "You come in as member");
  await walkTo("name");
  await page.keyboard.type("ann");
  await walkTo("passphrase");
  await page.keyboard.type(PASSPHRASE);
  await walkTo("again");
  await page.keyboard.type("something else");
  await turn(page, () => page.keyboard.press("Enter"));
  await reads(page, "The two passphrases are not the same.");
  if ((await value(page, "name")) !== "ann" || (await value(page, "passphrase")) !== "")
    problems.push("the form did not keep what it should, or kept a secret");
  await shot("join-wrong");
  await walkTo("passphrase", "Shift");
  await page.keyboard.type(PASSPHRASE);
  await walkTo("again");
  await page.keyboard.type(PASSPHRASE);
  await turn(page, () => page.keyboard.press("Enter"));
  await shot("codes");
  return writeDown();
}

/** Tab until the focus is on the field. @param {string} id @param {"Shift"} [back] */
async function walkTo(id, back) {
  for (let steps = 0; steps < 40; steps++) {
    if (await page.evaluate((wanted) => document.activeElement?.id === wanted, id)) return;
    if (back) await page.keyboard.down(back);
    await page.keyboard.press("Tab");
    if (back) await page.keyboard.up(back);
  }
  throw new Error(`the field ${id} is not reached by keyboard`);
}

/** Copy the codes from the page, say so, and go on to the account. */
async function writeDown() {
  await reads(page, "Your backup codes");
  const codes = await page.evaluate(() =>
    [...document.querySelectorAll("ol li")].map((one) => one.textContent),
  );
  if (codes.length !== 8) problems.push(`there are ${codes.length} backup codes`);
  await tick(page, "I have written them down");
  await press(page, "Go on");
  await reads(page, "Your account");
  return codes.map(String);
}

async function languages() {
  await press(page, "Deutsch");
  await reads(page, "Dein Konto");
  await press(page, "Dunkel");
  if ((await page.evaluate(() => getComputedStyle(document.body).backgroundColor)) !== "rgb(13, 23, 31)")
    problems.push("the dark look is not dark");
  await shot("account-dark-german");
  await press(page, "Wie das System");
  await press(page, "English");
  await reads(page, "Your account");
}

/** Every page in both sizes and looks, with scripts on; and the same account in the full client. */
async function look() {
  const { browser, close } = await openBrowser("firefox", { jit: true });
  const looks = new Looks(String(wish.out), problems, shots);
  const watched = await newPage(browser);
  /** @param {string} path @param {string} name */
  const every = async (path, name) => {
    for (const size of Object.values(SIZES)) {
      await watched.setViewport(size);
      await watched.goto(`${base}${path}?language=en`);
      await looks.both(watched, `plain-${name}-${size.name}`);
      looks.note(name, await keyboardGaps(watched));
      await watched.goto(`${base}${path}?language=de`);
      looks.note(`${name}, German`, await tooWide(watched));
    }
    await watched.goto(`${base}${path}?language=en`);
  };
  try {
    for (const name of ["", "sign-in", "code", "join", "nowhere"])
      await every(`/plain/${name}`.replace(/\/$/, ""), name || "welcome");
    await watched.goto(`${base}/plain/sign-in?language=en`);
    await fill(watched, "Name", "ann");
    await fill(watched, "Passphrase", "wrong");
    await press(watched, "Sign in");
    await looks.both(watched, "plain-sign-in-wrong");
    await fill(watched, "Passphrase", PASSPHRASE);
    await press(watched, "Sign in");
    for (const name of ["", "/sign-ins", "/passphrase", "/codes", "/second-factor", "/export", "/delete"])
      await every(`/plain/account${name}`, `account${name.replace("/", "-")}`);
    for (const name of ["boards", "search", "feeds"]) await every(`/plain/${name}`, name);
    await press(watched, "Boards");
    await press(watched, "Harbour");
    const board = new URL(watched.url()).pathname;
    await every(board, "board");
    await press(watched, "Begin a thread");
    await fill(watched, "Subject", "What Markdown can do");
    await fill(
      watched,
      "What you write",
      `# A heading\n\n> quoted\n\n- one\n- two\n\n1. first\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n\`code\` [words](https://example.org/)\n\n    long ${"line ".repeat(40)}`,
    );
    await looks.both(watched, "plain-write");
    looks.note("write", await keyboardGaps(watched));
    await press(watched, "Preview");
    await looks.both(watched, "plain-preview");
    await press(watched, "Post it");
    const thread = new URL(watched.url()).pathname;
    await every(thread, "thread");
    await press(watched, "Delete");
    await looks.both(watched, "plain-delete-post");
    await watched.goto(`${base}/plain/account/codes`);
    await fill(watched, "Passphrase", PASSPHRASE);
    await press(watched, "Make them");
    await looks.both(watched, "plain-codes");
    await press(watched, "Sign out");
    await step("the same account opens in the full client", async () => {
      await watched.goto(`${base}/`);
      await client.reads(watched, "Welcome back");
      await client.fill(watched, "Name", "ann");
      await client.fill(watched, "Passphrase", PASSPHRASE);
      await watched.keyboard.press("Enter");
      await client.go(watched, "messages");
      await client.go(watched, "account");
      await client.reads(watched, "ann@");
    });
  } finally {
    await close();
  }
}

/** @template T @param {string} name @param {() => Promise<T>} run @returns {Promise<T>} */
async function step(name, run) {
  const start = Date.now();
  steps.push({ step: name, seconds: 0 });
  const result = await run();
  steps.splice(-1, 1, { step: name, seconds: (Date.now() - start) / 1000 });
  return result;
}

/** Have something done beside the browser. @param {string} what */
async function ask(what) {
  console.log(JSON.stringify({ ask: what }));
  await lines.next();
}

/** @param {string} name */
async function shot(name) {
  const path = join(wish.out, `plain-${name}.png`);
  await page.screenshot({ path });
  shots.push(path);
}
