/**
 * How long the main thread of a page has been on a processor, as the kernel counts it: what other programs take from
 * the machine, and what the page spends waiting, is not in it. Linux only.
 */
import { readFileSync, readdirSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { Worker } from "node:worker_threads";

/** @typedef {import("puppeteer-core").Page} Page */
/** Unix milliseconds, and milliseconds of processor until then. @typedef {[at: number, used: number]} Sample */

const SPIN = 400;

/** Samples of one thread, once a millisecond, until it is told to send them. */
const SAMPLER = `
  const { readFileSync } = require("node:fs");
  const { parentPort, workerData, receiveMessageOnPort } = require("node:worker_threads");
  const still = new Int32Array(new SharedArrayBuffer(4));
  for (let samples = [], before = -1; ; Atomics.wait(still, 0, 0, 1)) {
    const used = Number(readFileSync(workerData, "utf8").split(" ")[0]) / 1e6;
    if (used !== before) samples.push([performance.timeOrigin + performance.now(), used]);
    before = used;
    const asked = receiveMessageOnPort(parentPort);
    if (asked?.message === "end") break;
    if (asked) parentPort.postMessage(samples.splice(0));
  }
`;

/** The clock of a page's main thread. @param {import("puppeteer-core").Browser} browser @param {Page} page */
export async function threadOf(browser, page) {
  const all = family(browser.process()?.pid ?? 0);
  const before = new Map(all.map((pid) => [pid, used(pid)]));
  await page.evaluate((spin) => {
    for (const end = performance.now() + spin; performance.now() < end;);
  }, SPIN);
  await pause(50);
  const spent = (/** @type {number} */ pid) => used(pid) - (before.get(pid) ?? 0);
  const [pid] = all.toSorted((a, b) => spent(b) - spent(a));
  if (pid === undefined) throw new Error("the page's process cannot be found");
  const worker = new Worker(SAMPLER, { eval: true, workerData: path(pid) });
  /** What was counted since it was asked last. @returns {Promise<Sample[]>} */
  const samples = () =>
    new Promise((done) => {
      worker.once("message", done);
      worker.postMessage("samples");
    });
  const end = () => worker.postMessage("end");
  return { samples, end };
}

/** Milliseconds of processor between two moments. The kernel counts at every switch and every few milliseconds: in
 * between the thread was either on for all the time until the next count, or not at all.
 * @param {Sample[]} samples @param {number} from @param {number} to */
export function between(samples, from, to) {
  const until = (/** @type {number} */ at) => {
    const before = samples.findLast((one) => one[0] <= at);
    const after = samples.find((one) => one[0] > at);
    if (!before || !after) return (before ?? after)?.[1] ?? 0;
    return Math.max(before[1], after[1] - (after[0] - at));
  };
  return until(to) - until(from);
}

/** @param {number} pid */
const path = (pid) => `/proc/${pid}/task/${pid}/schedstat`;

/** @param {number} pid */
function used(pid) {
  try {
    return Number(readFileSync(path(pid), "utf8").split(" ")[0]) / 1e6;
  } catch {
    return 0;
  }
}

/** A process and all that came of it. @param {number} root */
function family(root) {
  /** @type {Map<number, number>} */
  const parents = new Map();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // The name in brackets may hold anything.
      const [, parent] = readFileSync(`/proc/${name}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
      parents.set(Number(name), Number(parent));
    } catch {
      // It ended meanwhile.
    }
  }
  const isOf = (/** @type {number} */ pid) => {
    for (let at = pid; at > 1; at = parents.get(at) ?? 0) if (at === root) return true;
    return false;
  };
  return [...parents.keys()].filter(isOf);
}
