/**
 * Looks after a box in a real browser: gives it a name, a welcome and an accent, and looks at every page of order among members.
 *
 *   node e2e/order.mjs --base URL --claim URL [--browser chromium|firefox] [--out DIR]
 *
 * Prints one JSON line: steps, problems, screenshots. Leaves with 1 when there is a problem.
 */
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { newPage, openBrowser, SIZES } from "./browser.mjs";
import { Looks } from "./looks.mjs";
import { fill, go, press, reads, until } from "./page.mjs";

const { values: wish } = parseArgs({
  options: {
    base: { type: "string" },
    claim: { type: "string" },
    browser: { type: "string", default: "chromium" },
    out: { type: "string", default: join(tmpdir(), "island-order") },
    passphrase: { type: "string", default: "amber kelp seven lantern" },
  },
});
if (!wish.base || !wish.claim) {
  console.error("--base and --claim are needed");
  process.exit(2);
}
const PLACES = [
  "people/members",
  "people/reports",
  "people/audit",
  "people/my-reports",
  "people/rules",
  "health",
];

/** @type {string[]} */ const steps = [];
/** @type {string[]} */ const problems = [];
/** @type {string[]} */ const shots = [];
mkdirSync(wish.out, { recursive: true });
const looks = new Looks(wish.out, problems, shots);
const { browser, close } = await openBrowser(wish.browser === "firefox" ? "firefox" : "chromium");
const page = await newPage(browser);
page.on("pageerror", (error) => problems.push(`the page failed: ${String(error)}`));
page.on("console", (message) => {
  if (/Content.Security.Policy/i.test(message.text())) problems.push(`blocked: ${message.text()}`);
});
try {
  await claim();
  await brand();
  await acts();
  for (const place of PLACES) {
    steps.push(`look at ${place}`);
    await looks.place(page, place);
  }
  await door();
} catch (error) {
  problems.push(`${steps.at(-1) ?? "start"}: ${error instanceof Error ? error.message : String(error)}`);
  await page.screenshot({ path: join(wish.out, "problem.png") }).catch(() => {});
} finally {
  await close();
}
console.log(JSON.stringify({ browser: wish.browser, steps, problems, shots }));
process.exit(problems.length > 0 ? 1 : 0);

async function claim() {
  steps.push("claim");
  await page.setViewport(SIZES.desktop);
  await page.goto(String(wish.claim));
  await fill(page, "Name", "ada");
  await fill(page, "Passphrase", wish.passphrase);
  await fill(page, "Passphrase again", wish.passphrase);
  await press(page, "Make it mine");
  await reads(page, "Your backup codes");
  await press(page, "I have kept them");
  await press(page, "Go on");
  await reads(page, "No conversations yet");
}

/** A name, a welcome and the plum: seen in the picture first, then everywhere. */
async function brand() {
  steps.push("brand");
  await go(page, "people/look");
  await fill(page, "Name of the box", "");
  await fill(page, "Name of the box", "Boathouse");
  await fill(page, "Welcome", "Come in, and wipe your feet.");
  await fill(page, "House rules", "No shouting.");
  await press(page, "Plum");
  await press(page, "Save");
  await reads(page, "Everybody sees it now");
  await until(page, "the accent", () => document.documentElement.dataset["accent"] === "plum", null);
  await looks.place(page, "people/look");
}

/** What was done stands in the audit log, in words. */
async function acts() {
  steps.push("audit");
  await go(page, "people/audit");
  await reads(page, "made the box their own");
  await reads(page, "called the box “Boathouse”");
  await reads(page, "changed how the box shows itself");
}

/** The door, for whoever comes next. */
async function door() {
  steps.push("door");
  await page.setViewport(SIZES.desktop);
  await go(page, "account");
  await press(page, "Sign out");
  await reads(page, "Come in, and wipe your feet.");
  await reads(page, "Boathouse");
  await looks.both(page, "door");
}
