/** Starts Chromium, or Firefox as Tor Browser's "Safer" level has it: no JIT, no WebAssembly. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer from "puppeteer-core";

/** Debian's Chromium as root fails to look up hosts without these. */
const CHROMIUM_FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** JIT, WebAssembly and native regular expressions off, as at "Safer". */
const SAFER = {
  "javascript.options.ion": false,
  "javascript.options.baselinejit": false,
  "javascript.options.wasm": false,
  "javascript.options.asmjs": false,
  "javascript.options.native_regexp": false,
  "dom.securecontext.allowlist_onions": true,
};

/**
 * A fresh browser with a profile of its own; `close` ends it and removes the profile.
 * @param {"chromium" | "firefox"} kind
 * @param {{jit?: boolean}} options `jit` lets Chromium compile scripts, as it does for most people
 */
export async function openBrowser(kind, { jit = false } = {}) {
  const profile = mkdtempSync(join(tmpdir(), "island-e2e-"));
  const browser = await (kind === "firefox"
    ? puppeteer.launch({
        browser: "firefox",
        executablePath: process.env["FIREFOX"] ?? "/usr/bin/firefox-esr",
        extraPrefsFirefox: SAFER,
        userDataDir: profile,
        headless: true,
      })
    : puppeteer.launch({
        executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
        args: jit ? CHROMIUM_FLAGS : [...CHROMIUM_FLAGS, "--js-flags=--jitless"],
        userDataDir: profile,
        headless: true,
      }));
  const close = async () => {
    await browser.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  return { browser, close };
}

/** @typedef {{name: string, width: number, height: number}} Size */

/** The two sizes that every page is looked at in. */
export const SIZES = /** @type {const} */ ({
  phone: { name: "phone", width: 390, height: 844 },
  desktop: { name: "desktop", width: 1280, height: 800 },
});
