/** What several people do at one box, each in a real browser of their own: their pages, timed steps, problems, pictures. */
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openPage } from "./acts.mjs";
import { openBrowser, SIZES } from "./browser.mjs";
import { Looks } from "./looks.mjs";

/** @typedef {import("puppeteer-core").Page} Page */

export class Run {
  /** @type {{step: string, seconds: number}[]} */ steps = [];
  /** @type {string[]} */ problems = [];
  /** What pages wrote to their consoles as errors. @type {string[]} */ errors = [];
  /** @type {string[]} */ shots = [];
  /** @type {Map<string, Page>} */ pages = new Map();
  /** @type {(() => Promise<void>)[]} */ #closing = [];

  /** Reads the words of the command line. @param {string} name of the folder for pictures */
  constructor(name) {
    const { values } = parseArgs({
      options: {
        base: { type: "string", default: "" },
        claim: { type: "string", default: "" },
        browser: { type: "string", default: "chromium" },
        out: { type: "string", default: join(tmpdir(), `island-${name}`) },
        look: { type: "boolean", default: false },
        room: { type: "string", default: "" },
      },
    });
    if (!values.base || !values.claim) {
      console.error("--base and --claim are needed");
      process.exit(2);
    }
    this.base = values.base;
    this.claim = values.claim;
    this.look = values.look;
    /** The address of a board of another box. */
    this.room = values.room;
    this.out = values.out;
    this.browser = /** @type {"chromium" | "firefox"} */ (
      values.browser === "firefox" ? "firefox" : "chromium"
    );
    this.looks = new Looks(this.out, this.problems, this.shots);
    mkdirSync(this.out, { recursive: true });
  }

  /** A browser of their own for somebody. @param {string} who @returns {Promise<Page>} */
  async enter(who) {
    const { browser, close } = await openBrowser(this.browser);
    this.#closing.push(close);
    const page = await openPage(browser, this.base, who, this);
    await page.setViewport(SIZES.desktop);
    this.pages.set(who, page);
    return page;
  }

  /** @template T @param {string} name @param {() => Promise<T>} run @returns {Promise<T>} */
  async step(name, run) {
    const began = Date.now();
    const row = { step: name, seconds: 0 };
    this.steps.push(row);
    try {
      return await run();
    } finally {
      row.seconds = Math.round((Date.now() - began) / 100) / 10;
      if (process.env["TELL"]) console.error(name, row.seconds);
    }
  }

  /** Play to the end or to the first problem, print one JSON line, and leave. @param {() => Promise<void>} story */
  async play(story) {
    try {
      await story();
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      this.problems.push(`${this.steps.at(-1)?.step ?? "start"}: ${what}`);
      for (const [who, page] of this.pages)
        await page.screenshot({ path: join(this.out, `problem-${who}.png`) }).catch(() => {});
    } finally {
      for (const close of this.#closing) await close();
    }
    const { browser, steps, problems, errors, shots } = this;
    console.log(JSON.stringify({ browser, steps, problems, errors, shots }));
    process.exit(problems.length > 0 ? 1 : 0);
  }
}
