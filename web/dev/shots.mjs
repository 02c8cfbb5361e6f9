/** Screenshots of every page over a fake box: node dev/shots.mjs BASE OUT [phone|desktop] [light|dark] [PLACE …] */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { openBrowser, SIZES } from "../e2e/browser.mjs";

const [base = "http://127.0.0.1:8718", out = "shots", size = "desktop", theme = "light", ...wanted] =
  process.argv.slice(2);
const PLACES = [
  "home",
  "send",
  "inbox",
  "inbox/in-1",
  "inbox/in-2",
  "outbox",
  "people",
  "people/add",
  "relay",
  "health",
  "settings",
];
mkdirSync(out, { recursive: true });
const { browser, close } = await openBrowser("chromium");
try {
  const page = await browser.newPage();
  page.on("console", (message) => console.log(message.type(), message.text()));
  page.on("pageerror", (error) => console.log(String(error)));
  await page.setViewport(size === "phone" ? SIZES.phone : SIZES.desktop);
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
  for (const place of wanted.length > 0 ? wanted : PLACES) {
    await page.goto(place.startsWith("claim") ? `${base}/#${place}` : `${base}/#/${place}`);
    await page.waitForFunction("document.querySelector('h1') && !document.querySelector('.skeleton')");
    await new Promise((done) => setTimeout(done, 250));
    await page.screenshot({
      path: join(out, `${place.replaceAll(/[/=]/g, "-")}-${size}-${theme}.png`),
      fullPage: process.env["FULL"] === "1",
    });
    if (place.startsWith("claim")) await page.reload();
  }
} finally {
  await close();
}
