/**
 * Serves the client built with `vite build --mode fake`, with a fake box, under the headers of the real one.
 * node dev/serve.mjs [PORT] [new|out|locked|empty|relay-only|slow …]
 */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { FakeBox } from "./box.mjs";
import { serveApi, wishes } from "./http.mjs";

const DIST = fileURLToPath(new URL("../dist", import.meta.url));
const TYPES = /** @type {Record<string, string>} */ ({
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".md": "text/plain; charset=utf-8",
});
const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; " +
    "media-src 'self' blob:; " +
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
};

const [port = "8718", ...wanted] = process.argv.slice(2);
const box = new FakeBox(wishes(new URLSearchParams(wanted.join("&"))));
if (wanted.includes("slow")) void box.bootstrap(5_000);

createServer((request, response) => {
  const path = new URL(request.url ?? "/", "http://box").pathname;
  void (path.startsWith("/v1/") ? serveApi(box, request, response) : serveFile(path, response));
}).listen(Number(port), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${port}/`);
});

/** @param {string} path @param {import("node:http").ServerResponse} response */
async function serveFile(path, response) {
  const file = join(DIST, normalize(path === "/" ? "/index.html" : path));
  try {
    if (!file.startsWith(DIST)) throw new Error("outside");
    const content = await readFile(file);
    response.writeHead(200, {
      ...HEADERS,
      "content-type": TYPES[extname(file)] ?? "application/octet-stream",
    });
    response.end(content);
  } catch {
    response.writeHead(404, HEADERS).end();
  }
}
