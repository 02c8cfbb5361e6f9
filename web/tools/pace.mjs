/**
 * Measures the protocol in real browsers: Chromium, and Firefox as Tor Browser's "Safer" level has it.
 *
 *   node tools/pace.mjs [--browser chromium|firefox] [--json]
 *
 * Prints milliseconds (one run, after one that warms up), and the size of the protocol's code.
 */
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { openBrowser } from "../e2e/browser.mjs";

const { values: wish } = parseArgs({
  options: { browser: { type: "string" }, json: { type: "boolean", default: false } },
});
const kinds = /** @type {const} */ (["chromium", "firefox"]).filter(
  (kind) => !wish.browser || wish.browser === kind,
);

const code = await bundle("pace.ts");
const core = await bundle("core.ts");
const server = createServer((request, response) => {
  const script = request.url === "/pace.js";
  response.setHeader("content-type", script ? "text/javascript" : "text/html");
  response.end(script ? code : "<!doctype html><title>pace</title><script type=module src=pace.js></script>");
}).listen(0, "127.0.0.1");
const address = /** @type {import("node:net").AddressInfo} */ (await listening());

/** @type {Record<string, Record<string, number>>} */
const told = {};
try {
  for (const kind of kinds) told[kind] = await run(kind);
} finally {
  server.close();
}
const size = { octets: Buffer.byteLength(core), packed: gzipSync(core, { level: 9 }).length };
if (wish.json) console.log(JSON.stringify({ size, told }));
else {
  console.log(`code of the protocol: ${size.octets} octets, ${size.packed} packed`);
  console.table(transposed());
}

/** @param {"chromium" | "firefox"} kind */
async function run(kind) {
  const { browser, close } = await openBrowser(kind);
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${address.port}/`);
    await page.waitForFunction("typeof measure === 'function'");
    const measure = () => /** @type {Promise<Record<string, number>>} */ (page.evaluate("measure()"));
    // The first run makes the tables of the curve and is read by the compiler.
    await measure();
    return await measure();
  } finally {
    await close();
  }
}

/** @param {string} name one file beside this one, as one script */
async function bundle(name) {
  const made = await build({
    configFile: false,
    logLevel: "error",
    build: {
      write: false,
      target: ["chrome123", "firefox128", "safari17.5"],
      rollupOptions: {
        input: fileURLToPath(new URL(name, import.meta.url)),
        preserveEntrySignatures: "strict",
      },
      modulePreload: false,
    },
  });
  const [first] = Array.isArray(made) ? made : [made];
  if (!first || !("output" in first)) throw new Error("nothing was built");
  return first.output[0].code;
}

function listening() {
  return new Promise((resolve) => server.on("listening", () => resolve(server.address())));
}

function transposed() {
  /** @type {Record<string, Record<string, number>>} */
  const rows = {};
  for (const [kind, figures] of Object.entries(told))
    for (const [what, figure] of Object.entries(figures)) (rows[what] ??= {})[kind] = figure;
  return rows;
}
