/**
 * Measures what coming back to a channel with many messages takes a client, against a real box without Tor.
 *
 *   node tools/catchUp.mjs [--island ../.venv/bin/island] [--count 1000] [--browser chromium|firefox] [--json]
 *
 * In Chromium, and in Firefox at "Safer": milliseconds from opening the channel to its newest messages, to all of
 * them, and the longest time in which the page did nothing else.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { build } from "vite";
import { openBrowser } from "../e2e/browser.mjs";

const { values: wish } = parseArgs({
  options: {
    island: { type: "string", default: "../.venv/bin/island" },
    count: { type: "string", default: "1000" },
    browser: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const count = Number(wish.count);
/** Messages written in one call: a browser that is asked for longer is taken for dead. */
const SOME = 100;
const folder = mkdtempSync(join(tmpdir(), "island-measure-"));
const pages = join(folder, "pages");
await build({
  configFile: false,
  logLevel: "error",
  root: fileURLToPath(new URL(".", import.meta.url)),
  plugins: [svelte({ configFile: false })],
  build: {
    outDir: pages,
    target: ["chrome123", "firefox128", "safari17.5"],
    rollupOptions: { input: fileURLToPath(new URL("catchUp.html", import.meta.url)) },
  },
});

/** @type {Record<string, Record<string, number>>} */
const told = {};
for (const kind of /** @type {const} */ (["chromium", "firefox"]))
  if (!wish.browser || wish.browser === kind) told[kind] = await withBox((box) => comingBack(kind, box));
rmSync(folder, { recursive: true, force: true });
if (wish.json) console.log(JSON.stringify(told));
else console.table(told);

/** @param {"chromium" | "firefox"} kind @param {{ url: string, token: string }} box */
async function comingBack(kind, box) {
  const site = await serve(box.url);
  const writing = await openBrowser("chromium");
  const reading = await openBrowser(kind);
  try {
    const writer = await site.visit(writing.browser);
    const reader = await site.visit(reading.browser);
    await writer.call("signUp", "ada", box.token);
    await reader.call("signUp", "ben", await writer.call("invite"));
    const id = await writer.call("create");
    await reader.call("join", id);
    await reader.call("leave");
    await reader.away();
    let writes = 0;
    for (let at = 0; at < count; at += SOME)
      writes += await writer.call("write", id, Math.min(SOME, count - at));
    await reader.back();
    const found = /** @type {Record<string, number>} */ (await reader.call("catchUp", id, count));
    return { ...found, "each written": writes / count };
  } finally {
    await Promise.all([writing.close(), reading.close()]);
    site.close();
  }
}

/** Pages of the engine and the box behind one address. @param {string} box */
async function serve(box) {
  const server = createServer((asked, answer) => {
    const path = asked.url ?? "/";
    if (!path.startsWith("/v1/")) {
      if (path === "/away" || path === "/favicon.ico")
        return answer.setHeader("content-type", "text/html").end("<title>away</title>");
      answer.setHeader("content-type", path.endsWith(".html") ? "text/html" : "text/javascript");
      return answer.end(readFileSync(join(pages, path)));
    }
    const { host: _, origin: __, ...headers } = asked.headers;
    const options = { method: asked.method ?? "GET", headers: { ...headers, origin: new URL(box).origin } };
    const passed = request(new URL(path, box), options, (told) => {
      answer.writeHead(told.statusCode ?? 502, told.headers);
      told.pipe(answer);
    });
    passed.on("error", () => answer.destroy());
    asked.pipe(passed);
  }).listen(0, "127.0.0.1");
  await new Promise((done) => server.once("listening", done));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const at = `http://127.0.0.1:${port}`;
  return {
    close: () => server.close(),
    /** @param {import("puppeteer-core").Browser} browser */
    async visit(browser) {
      const page = await browser.newPage();
      page.setDefaultTimeout(600_000);
      const back = async () => {
        await page.goto(`${at}/catchUp.html`);
        await page.waitForFunction("typeof engine === 'object'");
      };
      await back();
      return {
        back,
        away: () => page.goto(`${at}/away`),
        /** @param {string} name @param {...unknown} values */
        call: (name, ...values) =>
          /** @type {Promise<any>} */ (page.evaluate(`engine.${name}(${values.map((one) => JSON.stringify(one)).join()})`)), // prettier-ignore
      };
    },
  };
}

/** @template T @param {(box: { url: string, token: string }) => Promise<T>} run */
async function withBox(run) {
  const data = mkdtempSync(join(folder, "box-"));
  const options = ["run", "--data", data, "--listen", "127.0.0.1:0", "--tor", "off", "--json"];
  const settings = ["--set", "channel_posts_minute=6000"];
  const box = spawn(wish.island, [...options, ...settings], { stdio: ["ignore", "pipe", "ignore"] });
  try {
    const first = await new Promise((done) =>
      box.stdout.once("data", (/** @type {Buffer} */ said) => done(String(said))),
    );
    const { url, claim_url: claim } = JSON.parse(first.split("\n")[0]);
    return await run({ url, token: new URL(claim).hash.slice("#claim=".length) });
  } finally {
    const ended = new Promise((done) => box.once("exit", done));
    box.kill();
    await ended;
  }
}
