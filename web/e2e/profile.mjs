/** A picture and a time zone of one's own, and what the other side sees of them. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { attach, choose, go, press, reads, until } from "./page.mjs";

/** @typedef {import("puppeteer-core").Page} Page */

const ROOT = join(import.meta.dirname, "../..");
/** Larger than a picture may be, and no JPEG. */
const PHOTO = join(ROOT, "build/messages.png");
/** What a browser makes of it, and the width of the small JPEG below. */
const MADE = 128;
const SMALL = 16;

/** Choose a picture and a zone; `other`, a contact who knows one as `name`, sees both.
 * @param {Page} page @param {Page} other @param {string} name */
export async function showOneself(page, other, name) {
  await go(page, "account/profile");
  await attach(page, PHOTO);
  await shows(page, "main section", MADE);
  await reads(page, "Saved.");
  await page.select("main select", "Asia/Tokyo");
  await until(
    page,
    "the zone to be kept",
    () => document.querySelector("main [role=switch]:enabled, main [type=checkbox]:enabled"),
    null,
  );
  await press(page, "Show my time zone");
  await go(other, "messages");
  await choose(other, name);
  await shows(other, "header .who", MADE);
  await reads(other, "for them");
}

/** In a browser whose pages may not read pictures back: it says so, and takes a small JPEG as it is, but for its camera data.
 * @param {Page} page @param {Page} other @param {string} name @param {string} folder */
export async function showOneselfGuarded(page, other, name, folder) {
  await go(page, "account/profile");
  await shows(page, "main section", MADE);
  await attach(page, PHOTO);
  await reads(page, "lets no page read pictures back");
  const { files } = JSON.parse(readFileSync(join(ROOT, "tests/vectors/picture.json"), "utf8"));
  const path = join(folder, "small.jpg");
  writeFileSync(path, Buffer.from(files[0].file, "hex"));
  await attach(page, path);
  await shows(page, "main section", SMALL);
  await go(other, "messages");
  await choose(other, name);
  await shows(other, "header .who", SMALL);
  const url = await other.$eval("header .who img", (one) => one.getAttribute("src") ?? "");
  if (Buffer.from(url.split(",")[1] ?? "", "base64").toString("hex") !== files[0].bare)
    throw new Error("more than the picture has travelled");
}

/** Wait until a picture of this width stands there. @param {Page} page @param {string} where @param {number} width */
async function shows(page, where, width) {
  await until(
    page,
    `a picture ${width} pixels wide`,
    ([place, wide]) =>
      [...document.querySelectorAll(`${place} img`)].some(
        (one) => /** @type {HTMLImageElement} */ (one).naturalWidth === wide,
      ),
    [where, width],
  );
}
