/** What people do in a conversation, each act up to where its effect can be seen. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { newPage } from "./browser.mjs";
import { go, press, fill, forgotten, reads, says, until, choose, words } from "./page.mjs";

/** Milliseconds within which a file is saved. */
const SAVING = 300_000;

/** @typedef {import("puppeteer-core").Page} Page */

/** Where something that must not happen is written down. @typedef {{problems: string[], errors: string[]}} Log */

/** A page of which nothing may leave its origin, and which may not complain.
 * @param {import("puppeteer-core").Browser} browser @param {string} base @param {string} who @param {Log} log */
export async function openPage(browser, base, who, { problems, errors }) {
  const page = await newPage(browser);
  const { host } = new URL(base);
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (!["data:", "blob:", "about:", "ws:"].includes(url.protocol) && url.host !== host)
      problems.push(`${who}: a request left the origin: ${url.origin}${url.pathname}`);
  });
  page.on("pageerror", (error) => problems.push(`${who}: the page failed: ${String(error)}`));
  page.on("console", (message) => {
    if (/Content.Security.Policy/i.test(message.text())) problems.push(`${who}: blocked: ${message.text()}`);
    else if (message.type() === "error") errors.push(`${who}: ${message.text().slice(0, 200)}`);
  });
  return page;
}

/** A new account by a claim link or an invite, to its empty list of conversations.
 * @param {Page} page @param {string} link @param {string} name @param {string} passphrase
 * @returns {Promise<string[]>} the backup codes */
export async function signUp(page, link, name, passphrase) {
  await page.goto(link);
  await until(page, "the door", () => document.querySelectorAll("form input").length >= 3, null);
  await fill(page, "Name", name);
  await fill(page, "Passphrase", passphrase);
  await fill(page, "Passphrase again", passphrase);
  await page.keyboard.press("Enter");
  await reads(page, "Your backup codes");
  await until(page, "eight codes", () => document.querySelectorAll("ol li").length === 8, null);
  const codes = await page.$$eval("ol li", (all) => all.map((one) => one.textContent?.trim() ?? ""));
  await press(page, "I have kept them");
  await press(page, "Go on");
  await reads(page, "No conversations yet");
  return codes;
}

/** Invite so many people. @param {Page} page @param {string} base @param {string} name @param {number} uses
 * @returns {Promise<string>} the link, at `base` */
export async function invite(page, base, name, uses = 1) {
  await go(page, "people/invites");
  await press(page, "Invite somebody");
  await fill(page, "For whom?", name);
  await fill(page, "How many people", String(uses));
  await press(page, "Make invite");
  await until(page, "the link", () => document.querySelector("dialog .secret"), null);
  const link = await page.$eval("dialog .secret", (one) => one.textContent?.trim() ?? "");
  await press(page, "I have handed it over");
  await forgotten(page, link);
  return `${new URL(base).origin}/${new URL(link).hash}`;
}

/** @param {Page} page @param {string} base @param {string} name @param {string} passphrase */
export async function signIn(page, base, name, passphrase) {
  await page.goto(base);
  await fill(page, "Name", name);
  await fill(page, "Passphrase", passphrase);
  await page.keyboard.press("Enter");
}

/** @param {Page} page @param {string} base @param {string} name @param {string} code */
export async function signInByCode(page, base, name, code) {
  await page.goto(base);
  await press(page, "Sign in with a backup code");
  await fill(page, "Name", name);
  await fill(page, "Backup code", code.toLowerCase().replaceAll("-", " "));
  await page.keyboard.press("Enter");
  await reads(page, "Choose a new passphrase now");
}

/** @param {Page} page @returns {Promise<string>} one's own address */
export async function ownAddress(page) {
  await go(page, "people/me");
  await until(page, "the own address", () => document.querySelector(".whole"), null);
  return page.$eval(".whole", (one) => one.textContent?.replace(/\s/g, "") ?? "");
}

/** Look somebody up, to the empty conversation. @param {Page} page @param {string} address */
export async function begin(page, address) {
  await go(page, "people/add");
  await fill(page, "Address", address);
  await press(page, "Begin conversation");
  await composer(page);
}

/** Open the conversation with somebody from the list. @param {Page} page @param {string} name */
export async function converse(page, name) {
  await go(page, "messages");
  await choose(page, name);
  await until(page, "the conversation", () => document.querySelector("article.talk"), null);
}

/** Accept what somebody wrote first. @param {Page} page @param {string} name @param {string} text what it says */
export async function accept(page, name, text) {
  await go(page, "messages");
  await reads(page, "Would like to write to you");
  await choose(page, name);
  await says(page, text);
  await press(page, "Accept");
  await composer(page);
}

/** @param {Page} page */
async function composer(page) {
  await until(page, "the composer", () => document.querySelector(".composer textarea"), null);
}

/** Write in the open conversation. @param {Page} page @param {string} text */
export async function write(page, text) {
  await fill(page, "", text);
  await page.keyboard.press("Enter");
  await says(page, text);
}

/** Put the focus on the message that begins so, as one who walks there by arrows.
 * @param {Page} page @param {string} text */
export async function message(page, text) {
  await says(page, text);
  await page.evaluate((wanted) => {
    const all = [...document.querySelectorAll("main ol li")];
    const one = all.findLast((each) => each.querySelector(".words")?.textContent?.startsWith(wanted));
    /** @type {HTMLElement | undefined} */ (one)?.focus();
  }, text);
}

/** @param {Page} page @param {string} to how the answered message begins @param {string} text */
export async function answer(page, to, text) {
  await message(page, to);
  await page.keyboard.press("r");
  await reads(page, "Answer to");
  await write(page, text);
}

/** Give the first sign of the table. @param {Page} page @param {string} to */
export async function react(page, to) {
  await message(page, to);
  await page.keyboard.press("+");
  await until(page, "the signs", () => document.querySelector(".picker button"), null);
  await page.keyboard.press("Enter");
}

/** @param {Page} page @param {string} from how the message begins @param {string} text what it says from now on */
export async function edit(page, from, text) {
  await message(page, from);
  await page.keyboard.press("e");
  await reads(page, "You are editing");
  await write(page, text);
}

/** @param {Page} page @param {string} text */
export async function remove(page, text) {
  await message(page, text);
  await page.keyboard.press("Delete");
  await press(page, "Delete for everyone");
}

/** Wait until the message has a reaction. @param {Page} page @param {string} text */
export async function reacted(page, text) {
  await until(page, `a reaction to “${text}”`, (wanted) => {
    const all = [...document.querySelectorAll("main ol li")];
    return all.some(
      (one) =>
        one.querySelector(".words")?.textContent?.startsWith(wanted) && one.querySelector(".reactions button"),
    );
  }, text); // prettier-ignore
}

/** Wait until the newest message is where one of these words says. @param {Page} page @param {string} words */
export async function stands(page, words) {
  await until(
    page,
    `the newest message to be “${words}”`,
    (wanted) =>
      new RegExp(wanted).test(document.querySelector("main ol li:last-child .state")?.textContent ?? ""),
    words,
  );
}

/** Wait until the mark of having been read stands at a message. @param {Page} page @param {string} text */
export async function isRead(page, text) {
  await until(
    page,
    `“${text}” to be read`,
    (wanted) =>
      [...document.querySelectorAll("main ol li")].some(
        (one) =>
          one.querySelector(".words")?.textContent?.startsWith(wanted) &&
          one.querySelector('.foot [aria-label="Read"]'),
      ),
    text,
  );
}

/** The sixty digits one compares with somebody. @param {Page} page @param {string} name */
export async function safetyNumber(page, name) {
  await go(page, "people");
  await choose(page, name);
  await until(page, "the number", () => document.querySelectorAll(".digits li").length === 12, null);
  return page.$eval(".digits", (one) => one.textContent?.replace(/\D/g, "") ?? "");
}

/** Save the file of that name, as Chromium saves it; what is in it.
 * @param {Page} page @param {string} name @param {string} folder */
export async function saved(page, name, folder) {
  const session = await page.createCDPSession();
  await session.send("Browser.setDownloadBehavior", {
    behavior: "allow",
    downloadPath: folder,
    eventsEnabled: true,
  });
  /** @type {string[]} */ const states = [];
  session.on("Browser.downloadProgress", (event) => states.push(event.state));
  await press(page, `Save file ${name}`);
  for (const end = Date.now() + SAVING; !states.includes("completed");) {
    if (Date.now() > end) throw new Error(`${name} was not saved: ${states}; ${await words(page)}`);
    await new Promise((again) => setTimeout(again, 50));
  }
  return readFileSync(join(folder, name), "utf8");
}

/** Play the voice message, until it could be heard. @param {Page} page */
export async function hear(page) {
  await until(page, "the voice", () => document.querySelector(".bubble .voice"), null);
  // It may be over before one looks.
  await page.evaluate(() => {
    const told = new MutationObserver(() => {
      if (document.querySelector('.voice [aria-label="Pause"]'))
        document.documentElement.dataset["heard"] = "";
    });
    told.observe(document.body, { subtree: true, attributes: true, childList: true });
  });
  await press(page, "Play");
  await until(page, "the sound", () => "heard" in document.documentElement.dataset, null);
}

/** The link that lets a second device in. @param {Page} page */
export async function deviceLink(page) {
  await go(page, "account/devices");
  await press(page, "Add a device");
  await until(page, "the code", () => document.querySelector("dialog .qr svg"), null);
  const link = await page.$eval("dialog .secret", (one) => one.textContent?.trim() ?? "");
  await press(page, "Close");
  return link;
}
