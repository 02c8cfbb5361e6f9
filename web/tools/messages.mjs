/**
 * Measures what messages cost a client, in real browsers against a real box without Tor.
 *
 *   node tools/messages.mjs [--island ../.venv/bin/island] [--count 30] [--archive] [--json]
 *
 * In Firefox at "Safer" and in Chromium, in milliseconds:
 *
 * - `work`: what a person waits for besides the box: from the Enter key to the message leaving for the box, by the
 *   clock on the wall, less the time in which a request to the box was open. The browser's own threads (its database,
 *   its cryptography) and other programs on the machine are in it.
 * - `whole`: the same with the time spent waiting for the box.
 * - `cpu`: the processor's time of the page's main thread between the same two moments, also while the box is waited
 *   for: typing and drawing, sealing, writing. What waits, and what other threads and programs do, is not in it.
 * - `all_cpu`: that of the main thread from before the Enter key to after the other side has read the message: with
 *   the marks drawn at it, the receipt that comes back, and what driving the browser takes.
 *
 * For the first message to a stranger (with looking them up), and for each after it: the lowest of the medians of
 * every ten, since others who use the machine only ever add.
 * With --archive also the seconds from the passphrase being stretched to a usable list with 10,000 messages, in Chromium.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as acts from "../e2e/acts.mjs";
import { openBrowser } from "../e2e/browser.mjs";
import { converse, deep } from "./timing.mjs";

const { values: wish } = parseArgs({
  options: {
    island: { type: "string", default: "../.venv/bin/island" },
    count: { type: "string", default: "30" },
    archive: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

/** @type {Record<string, Record<string, number>>} */
const told = {};
const log = { problems: /** @type {string[]} */ ([]), errors: /** @type {string[]} */ ([]) };
for (const kind of /** @type {const} */ (["firefox", "chromium"]))
  told[kind] = await withBox((link) => sending(kind, link));
if (wish.archive) told["archive"] = await withBox(archive);
if (wish.json) console.log(JSON.stringify(told));
else console.table(told);
if (log.problems.length > 0) console.error(log.problems.join("\n"));

/** @template T @param {(link: string) => Promise<T>} run */
async function withBox(run) {
  const folder = mkdtempSync(join(tmpdir(), "island-measure-"));
  const options = ["run", "--data", folder, "--listen", "127.0.0.1:0", "--tor", "off", "--json"];
  const box = spawn(wish.island, options, { stdio: ["ignore", "pipe", "ignore"] });
  try {
    const first = await new Promise((done) =>
      box.stdout.once("data", (/** @type {Buffer} */ data) => done(String(data))),
    );
    return await run(JSON.parse(first.split("\n")[0]).claim_url);
  } finally {
    const ended = new Promise((done) => box.once("exit", done));
    box.kill();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {"chromium" | "firefox"} kind @param {string} link */
async function sending(kind, link) {
  const measured = await openBrowser(kind);
  const other = await openBrowser("chromium");
  try {
    return await converse(measured.browser, other.browser, link, Number(wish.count), log);
  } finally {
    await measured.close();
    await other.close();
  }
}

/** @param {string} link */
async function archive(link) {
  const fill = spawn("npx", ["vitest", "run", "tests/real/archive.test.ts"], {
    env: { ...process.env, ARCHIVE: link },
    stdio: "ignore",
  });
  const code = await new Promise((done) => fill.once("exit", done));
  if (code !== 0) throw new Error("the archive could not be filled");
  const { browser, close } = await openBrowser("chromium");
  try {
    const page = await acts.openPage(browser, link, "ada", log);
    return await deep(page, new URL(link).origin, "friend39");
  } finally {
    await close();
  }
}
