/** Looks at pages: barriers, width, keyboard, and a picture, in light and dark, in both sizes, from right to left. */
import { join } from "node:path";
import { SIZES } from "./browser.mjs";
import { barriers, keyboardGaps, tooWide } from "./checks.mjs";
import { go, settled, wear } from "./page.mjs";

/** @typedef {import("puppeteer-core").Page} Page */

export class Looks {
  /** @param {string} out folder of the pictures @param {string[]} problems @param {string[]} shots */
  constructor(out, problems, shots) {
    this.out = out;
    this.problems = problems;
    this.shots = shots;
  }

  /** One place in every size and look, by keyboard, and from right to left.
   * @param {Page} page @param {string} place */
  async place(page, place) {
    const name = place.replaceAll("/", "-");
    for (const size of Object.values(SIZES)) {
      await page.setViewport(size);
      await go(page, place);
      await settled(page);
      await this.both(page, `${name}-${size.name}`);
      this.note(place, await keyboardGaps(page));
      await page.evaluate(() => (document.documentElement.dir = "rtl"));
      this.note(`${place}, right to left`, await tooWide(page));
      await page.evaluate(() => (document.documentElement.dir = "ltr"));
    }
    await page.setViewport(SIZES.desktop);
  }

  /** Barriers and a picture in light and in dark. @param {Page} page @param {string} name */
  async both(page, name) {
    for (const theme of /** @type {const} */ (["light", "dark"])) {
      await wear(page, theme);
      this.note(`${name}, ${theme}`, [...(await barriers(page, theme === "dark")), ...(await tooWide(page))]);
      const path = join(this.out, `${name}-${theme}.png`);
      await page.screenshot({ path });
      this.shots.push(path);
    }
    await wear(page, "light");
  }

  /** @param {string} where @param {string[]} found */
  note(where, found) {
    this.problems.push(...found.map((one) => `${where}: ${one}`));
  }
}
