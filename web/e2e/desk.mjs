/**
 * Drives the owner's box in a real browser, from the one-time link to sign-out: relay, settings, and a look at every page.
 * Conversations are driven by e2e/people.mjs.
 *
 *   node e2e/desk.mjs --base URL --claim URL [--browser chromium|firefox] [--out DIR] [--passphrase TEXT] [--relay INVITATION]
 *
 * With --relay it joins that relay. Prints one JSON line: steps, problems, screenshots. Leaves with 1 when there is a problem.
 */
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { newPage, openBrowser, SIZES } from "./browser.mjs";
import { barriers, keyboardGaps, tooWide } from "./checks.mjs";
import { fill, forgotten, go, press, reads, settled, until, visit, wear, words } from "./page.mjs";

const { values: wish } = parseArgs({
  options: {
    base: { type: "string" },
    claim: { type: "string" },
    relay: { type: "string" },
    browser: { type: "string", default: "chromium" },
    out: { type: "string", default: join(tmpdir(), "island-desk") },
    passphrase: { type: "string", default: "amber kelp seven lantern" },
  },
});
if (!wish.base || !wish.claim) {
  console.error("--base and --claim are needed");
  process.exit(2);
}
const base = new URL(wish.base);
const PLACES = ["home", "relay", "health", "settings"];

/** @type {string[]} */ const steps = [];
/** @type {string[]} */ const problems = [];
/** @type {string[]} */ const shots = [];
mkdirSync(wish.out, { recursive: true });

const { browser, close } = await openBrowser(wish.browser === "firefox" ? "firefox" : "chromium");
const page = await newPage(browser);
watch();
try {
  await claim();
  await relay();
  await settings();
  for (const place of PLACES) await look(place);
  await signOutAndIn();
} catch (error) {
  problems.push(`${steps.at(-1) ?? "start"}: ${error instanceof Error ? error.message : String(error)}`);
  await page.screenshot({ path: join(wish.out, "problem.png") }).catch(() => {});
} finally {
  await close();
}
console.log(JSON.stringify({ browser: wish.browser, steps, problems, shots }));
process.exit(problems.length > 0 ? 1 : 0);

/** Nothing may leave the origin, and the page may not complain. */
function watch() {
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (!["data:", "blob:", "about:", "ws:"].includes(url.protocol) && url.origin !== base.origin)
      problems.push(`a request left the origin: ${url.origin}`);
  });
  page.on("pageerror", (error) => problems.push(`the page failed: ${String(error)}`));
  page.on("console", (message) => {
    if (/Content.Security.Policy/i.test(message.text())) problems.push(`blocked: ${message.text()}`);
  });
}

/** The one-time link, by keyboard alone. */
async function claim() {
  steps.push("claim");
  await page.setViewport(SIZES.desktop);
  await page.goto(String(wish.claim));
  await reads(page, "Make this box yours");
  await inBothLooks("claim");
  for (const text of ["ada", wish.passphrase, wish.passphrase]) {
    await page.keyboard.type(text);
    await page.keyboard.press("Tab");
    if (text === wish.passphrase) await page.keyboard.press("Tab");
  }
  await page.keyboard.press(" ");
  await reads(page, "after a power cut your box only relays");
  await page.keyboard.press(" ");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await reads(page, "Your backup codes");
  await until(page, "eight codes", () => document.querySelectorAll("ol li").length === 8, null);
  await press(page, "I have kept them");
  await press(page, "Go on");
  await reads(page, "No conversations yet");
  if (page.url().includes("claim")) problems.push("the one-time link stays in the address");
}

/** An invitation: made, shown once, revoked. */
async function relay() {
  steps.push("relay");
  await visit(page, "relay");
  await press(page, "Invite somebody");
  await fill(page, "Who is it for?", "Jonas");
  await press(page, "Create invitation");
  await reads(page, "Hand over this invitation");
  await inBothLooks("relay-invitation");
  const code = await page.$eval("dialog[open] .code", (one) => one.textContent?.trim() ?? "");
  if (!/^[a-z2-7]{56}\.onion\/[a-z2-7]{52}$/.test(code)) problems.push("the invitation has another form");
  await press(page, "I have handed it over");
  await reads(page, "Jonas");
  await forgotten(page, code);
  await press(page, "Revoke Jonas");
  await press(page, "Revoke and delete");
  await until(
    page,
    "the invitation to go",
    () => !document.querySelector("main")?.innerText.includes("Jonas"),
    null,
  );
  if (wish.relay) await joinRelay(wish.relay);
}

/** @param {string} invitation */
async function joinRelay(invitation) {
  steps.push("join a relay");
  await press(page, "Add a relay");
  await fill(page, "Invitation or address", invitation);
  await press(page, "Use this relay");
  await until(
    page,
    "the relay in the list",
    (text) => document.querySelector("main")?.innerText.includes(text),
    invitation.slice(0, 8),
  );
}

async function settings() {
  steps.push("settings");
  await visit(page, "settings");
  await fill(page, "Usual time to keep", "100");
  await press(page, "Save changes");
  await reads(page, "Saved.");
  await page.reload();
  await settled(page);
  const kept = () =>
    [...document.querySelectorAll("label")].find((one) => one.textContent?.trim().startsWith("Usual time"))
      ?.control;
  await until(page, "the settings", kept, null);
  const value = await page.evaluate(`(${kept})().value`);
  if (value !== "100") problems.push(`a setting was not kept: ${value}`);
}

async function signOutAndIn() {
  steps.push("sign out and in");
  await page.setViewport(SIZES.desktop);
  await go(page, "account");
  await press(page, "Sign out");
  await reads(page, "Welcome back");
  await inBothLooks("sign-in");
  await fill(page, "Name", "ada");
  await fill(page, "Passphrase", "not the passphrase");
  await page.keyboard.press("Enter");
  await reads(page, "The name, the passphrase or the code is wrong.");
  await fill(page, "Passphrase", wish.passphrase);
  await page.keyboard.press("Enter");
  await until(page, "the shell", () => document.querySelector("nav"), null);
  if (/\b[a-z]+_[a-z]+\b/.test(await words(page))) problems.push("a bare code is shown");
}

/** One place in every size and look, by keyboard, and from right to left. @param {string} place */
async function look(place) {
  steps.push(`look at ${place}`);
  for (const size of Object.values(SIZES)) {
    await page.setViewport(size);
    await visit(page, place);
    await inBothLooks(`${place}-${size.name}`);
    note(place, await keyboardGaps(page));
    await page.evaluate(() => (document.documentElement.dir = "rtl"));
    note(`${place}, right to left`, await tooWide(page));
    await page.evaluate(() => (document.documentElement.dir = "ltr"));
  }
}

/** Barriers and a picture in light and in dark. @param {string} name */
async function inBothLooks(name) {
  for (const theme of /** @type {const} */ (["light", "dark"])) {
    await wear(page, theme);
    note(`${name}, ${theme}`, [...(await barriers(page, theme === "dark")), ...(await tooWide(page))]);
    await page.evaluate(() => scrollTo(0, 0));
    const path = join(String(wish.out), `${name}-${theme}.png`);
    await page.screenshot({ path });
    shots.push(path);
  }
}

/** @param {string} where @param {string[]} found */
function note(where, found) {
  problems.push(...found.map((one) => `${where}: ${one}`));
}
