/**
 * Screenshots over the fake box and engine: node dev/shots.mjs BASE OUT [phone|desktop] [light|dark] [NAME …]
 * BASE is a development server (`npx vite --port 5199`). SPEAK=de shows German.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { openBrowser, SIZES } from "../e2e/browser.mjs";
import { barriers, tooWide } from "../e2e/checks.mjs";

const [base = "http://127.0.0.1:5199", out = "shots", size = "desktop", theme = "light", ...wanted] =
  process.argv.slice(2);

/** Name of the picture, address, and rows and links to be opened first, one after the other.
 * @type {[string, string, ...string[]][]} */
const VIEWS = [
  ["messages", "/#/messages"],
  ["messages-empty", "/?empty#/messages"],
  ["messages-opening", "/?opening#/messages"],
  ["talk", "/#/messages", "Marta"],
  ["talk-rtl", "/#/messages", "نورا"],
  ["talk-key", "/#/messages", "Jonas"],
  ["talk-request", "/#/messages", "ferry-office"],
  ["channels", "/#/channels"],
  ["channels-empty", "/?empty#/channels"],
  ["channels-opening", "/?opening#/channels"],
  ["channels-broken", "/?broken#/channels"],
  ["channel", "/#/channels", "Harbour watch"],
  ["channel-slow", "/#/channels", "Ferry talk"],
  ["channel-rtl", "/#/channels", "سوق"],
  ["channel-giving", "/#/channels", "The whole island"],
  ["channel-alarm", "/#/channels", "Lighthouse"],
  ["channel-closed", "/#/channels", "Regatta"],
  ["channel-nameless", "/#/channels", "A private channel"],
  ["channel-outside", "/#/channels", "Book swap"],
  ["channel-about", "/#/channels", "Harbour watch", "5 members"],
  ["channel-about-public", "/#/channels", "Ferry talk", "3 members"],
  ["channel-many", "/#/channels", "The whole island", "260 members"],
  ["boards", "/#/boards"],
  ["boards-empty", "/?empty#/boards"],
  ["boards-feeds", "/#/boards/feeds"],
  ["board", "/#/boards", "Harbour"],
  ["board-new", "/#/boards", "Harbour", "New thread"],
  ["thread", "/#/boards", "Harbour", "Winter timetable"],
  ["thread-rtl", "/#/boards", "Harbour", "سوق"],
  ["thread-long", "/?long#/boards", "Harbour", "A log of a thousand days"],
  ["people", "/#/people"],
  ["person", "/#/people", "Marta"],
  ["person-me", "/#/people/me"],
  ["person-add", "/#/people/add"],
  ["members", "/#/people/members"],
  ["invites", "/#/people/invites"],
  ["account", "/#/account"],
  ["account-profile", "/#/account/profile"],
  ["account-devices", "/#/account/devices"],
  ["account-security", "/#/account/security"],
  ["account-privacy", "/#/account/privacy"],
  ["account-data", "/#/account/data"],
  ["box", "/#/home"],
  ["relay", "/#/relay"],
  ["health", "/#/health"],
  ["settings", "/#/settings"],
  ["sign-in", "/?door#/"],
  ["unlock", "/?locked#/"],
  ["claim", "/?new#claim=first-light"],
  ["invite", "/?door#/invite/abc"],
  ["link", "/?door#/link/abc"],
  ["moved", "/?moved#/messages"],
  ["alarm", "/?alarm#/messages"],
];
mkdirSync(out, { recursive: true });
const { browser, close } = await openBrowser("chromium");
try {
  for (const [name, path, ...rows] of VIEWS.filter(
    ([name]) => wanted.length === 0 || wanted.includes(name),
  )) {
    const page = await browser.newPage();
    page.on("console", (message) => message.type() === "error" && console.log(name, message.text()));
    page.on("pageerror", (error) => console.log(name, String(error)));
    await page.setViewport(size === "phone" ? SIZES.phone : SIZES.desktop);
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
    const language = process.env["SPEAK"];
    if (language)
      await page.evaluateOnNewDocument((to) => localStorage.setItem("island.language", to), language);
    await page.goto(`${base}${path}`);
    await page.waitForSelector("h1, h2");
    for (const row of rows) {
      await page.waitForFunction(
        (text) => [...document.querySelectorAll("main a")].some((one) => one.textContent?.includes(text)),
        {},
        row,
      );
      await page.evaluate((text) => {
        const all = [...document.querySelectorAll("main a")];
        /** @type {HTMLElement | undefined} */ (all.find((one) => one.textContent?.includes(text)))?.click();
      }, row);
    }
    await new Promise((done) => setTimeout(done, 700));
    for (const problem of [...(await barriers(page)), ...(await tooWide(page))])
      console.log(name, size, theme, problem);
    await page.screenshot({ path: join(out, `${name}-${size}-${theme}.png`) });
    await page.close();
  }
} finally {
  await close();
}
