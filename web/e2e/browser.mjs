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
};

/** Milliseconds for a browser to start and for a page to come: many run at once. */
const PATIENCE = 300_000;
/** More than whatever is waited for in a page. */
const PROTOCOL = 420_000;

/** No script at all, and no SVG, as at "Safest". */
const SAFEST = { "javascript.enabled": false, "svg.disabled": true };

/** Pages cannot tell browsers apart: no pictures read back, one time zone for all. */
const GUARDED = { "privacy.resistFingerprinting": true };

/** Windows that remember nothing, and addresses of onions taken for as safe as they are, not asked for twice. */
const TOR_BROWSER = {
  "dom.security.https_first": false,
  "dom.security.https_first_pbm": false,
  "browser.privatebrowsing.autostart": true,
  "dom.securecontext.allowlist_onions": true,
  "network.dns.blockDotOnion": false,
  "network.http.referer.hideOnionSource": true,
};

/** Every name is looked up at the other end. @param {number} port */
const through = (port) => ({
  "network.proxy.type": 1,
  "network.proxy.socks": "127.0.0.1",
  "network.proxy.socks_port": port,
  "network.proxy.socks_version": 5,
  "network.proxy.socks_remote_dns": true,
});

/** A microphone that hums, and nobody to ask for it. */
const HUMMING = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];

/** The same in Firefox. */
const FIREFOX_HUMMING = {
  "media.navigator.streams.fake": true,
  "media.navigator.permission.disabled": true,
};

/**
 * A fresh browser with a profile of its own; `close` ends it and removes the profile.
 * @param {"chromium" | "firefox"} kind
 * @param {{jit?: boolean, scripts?: boolean, guarded?: boolean, socks?: number, hum?: boolean, sound?: string, camera?: string, profile?: string}} options
 * `jit` tells whether scripts are compiled: in Chromium unless told otherwise, in Firefox if told; without `scripts` Firefox runs none; `guarded` Firefox tells pages as little as Tor Browser does; `socks` is the port
 * of a Tor client for Firefox; `hum` gives it a microphone; in Chromium `sound` is the WAV file this hears and `camera` the film a camera sees;
 * `profile` is a folder that stays
 */
export async function openBrowser(kind, options = {}) {
  const {
    jit = kind === "chromium",
    scripts = true,
    guarded = false,
    socks = 0,
    hum = false,
    sound,
    camera,
  } = options;
  const profile = options.profile ?? mkdtempSync(join(tmpdir(), "island-e2e-"));
  const devices = [
    ...(hum || sound || camera ? HUMMING : []),
    ...(sound ? [`--use-file-for-fake-audio-capture=${sound}`] : []),
    ...(camera ? [`--use-file-for-fake-video-capture=${camera}`] : []),
  ];
  const browser = await (kind === "firefox"
    ? puppeteer.launch({
        browser: "firefox",
        executablePath: process.env["FIREFOX"] ?? "/usr/bin/firefox-esr",
        extraPrefsFirefox: {
          ...(jit ? {} : SAFER),
          ...(scripts ? {} : SAFEST),
          ...(guarded ? GUARDED : {}),
          ...TOR_BROWSER,
          ...(socks ? through(socks) : {}),
          ...(hum ? FIREFOX_HUMMING : {}),
        },
        userDataDir: profile,
        headless: true,
        timeout: PATIENCE,
        protocolTimeout: PROTOCOL,
      })
    : puppeteer.launch({
        executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
        args: [...CHROMIUM_FLAGS, ...(jit ? [] : ["--js-flags=--jitless"]), ...devices],
        userDataDir: profile,
        headless: true,
        timeout: PATIENCE,
        protocolTimeout: PROTOCOL,
      }));
  const close = async () => {
    await browser.close();
    if (!options.profile) rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  return { browser, close };
}

/** A page that may take its time to come.
 * @param {import("puppeteer-core").Browser | import("puppeteer-core").BrowserContext} browser */
export async function newPage(browser) {
  const page = await browser.newPage();
  page.setDefaultNavigationTimeout(PATIENCE);
  return page;
}

/** @typedef {{name: string, width: number, height: number}} Size */

/** The two sizes that every page is looked at in. */
export const SIZES = /** @type {const} */ ({
  phone: { name: "phone", width: 390, height: 844 },
  desktop: { name: "desktop", width: 1280, height: 800 },
});
