/**
 * Three people, real browsers: ada comes to her group's onion by an invite in Firefox as Tor Browser at "Safer" has it,
 * bob uses Chromium on his own machine, carol the command line. What is not done in a browser (carol's commands,
 * a box going off) is asked for: one line {"ask", …} on standard output, answered by one line of JSON on standard input.
 *
 *   node e2e/journey.mjs --ada INVITE_URL --socks PORT --bob CLAIM_URL --out DIR [--carol ADDRESS] [--look] [--pace COUNT]
 *
 * The last line is {steps, problems, errors, shots, figures}; with --pace it has the milliseconds from bob's Enter key
 * to ada's screen over so many messages. Leaves with 1 on a problem.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import * as acts from "./acts.mjs";
import { openBrowser, SIZES } from "./browser.mjs";
import { barriers, tooWide } from "./checks.mjs";
import { attach, press, reads, says, until, wear, words } from "./page.mjs";
import * as sound from "./sound.mjs";

const { values: wish } = parseArgs({
  options: {
    ada: { type: "string", default: "" },
    bob: { type: "string", default: "" },
    socks: { type: "string", default: "0" },
    carol: { type: "string", default: "" },
    out: { type: "string", default: join(tmpdir(), "island-journey") },
    look: { type: "boolean", default: false },
    pace: { type: "string", default: "0" },
  },
});

/** @typedef {import("puppeteer-core").Page} Page */
/** @typedef {{page: Page, close: () => Promise<void>}} Seat */

const PASSPHRASE = "amber kelp seven lantern";

const log = { problems: /** @type {string[]} */ ([]), errors: /** @type {string[]} */ ([]) };
/** @type {{step: string, seconds: number}[]} */ const steps = [];
/** @type {string[]} */ const shots = [];
/** @type {Record<string, number>} */ const figures = {};
/** @type {Set<Seat>} */ const seats = new Set();
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const home = new URL(wish.ada).origin;
const bobsHome = new URL(wish.bob).origin;
mkdirSync(wish.out, { recursive: true });

try {
  await journey();
} catch (error) {
  const words = error instanceof Error ? `${error.message}` : String(error);
  log.problems.push(`${steps.at(-1)?.step ?? "start"}: ${words}`);
  let number = 0;
  for (const { page } of seats)
    await page.screenshot({ path: join(wish.out, `problem-${++number}.png`) }).catch(() => {});
} finally {
  for (const seat of seats) await seat.close().catch(() => {});
}
console.log(JSON.stringify({ steps, ...log, shots, figures }));
process.exit(log.problems.length > 0 ? 1 : 0);

async function journey() {
  const [ada, bob] = await step("open both browsers", () => Promise.all([tor("ada"), machine()]));
  const [codes] = await step("ada comes by her invite, bob claims his box", () =>
    Promise.all([
      acts.signUp(ada.page, wish.ada, "ada", PASSPHRASE),
      acts.signUp(bob.page, wish.bob, "bob", PASSPHRASE),
    ]),
  );
  if (/claim|invite/.test(ada.page.url() + bob.page.url())) problem("a secret stays in the address");
  const address = await acts.ownAddress(bob.page);
  if (!/^bob@[a-z2-7]{56}\.onion$/.test(address)) problem(`bob has a strange address: ${address}`);

  await step("ada looks bob up", () => acts.begin(ada.page, address));
  await step("ada's first message", () => acts.write(ada.page, "The boat leaves at sevn."));
  await step("bob accepts", async () => {
    await acts.accept(bob.page, "ada", "The boat leaves at sevn.");
    await acts.isRead(ada.page, "The boat leaves at sevn.");
  });
  await step("bob answers, ada answers that", async () => {
    await acts.write(bob.page, "Thank you, I shall be there.");
    await says(ada.page, "Thank you, I shall be there.");
    await acts.answer(ada.page, "Thank you", "Bring the warm coat.");
    await says(bob.page, "Bring the warm coat.");
    await until(bob.page, "the quoted message", () => document.querySelector(".bubble .quote"), null);
    await acts.stands(ada.page, "Read");
  });
  await step("reactions both ways", async () => {
    await acts.react(ada.page, "Thank you");
    await acts.reacted(bob.page, "Thank you");
    await acts.react(bob.page, "Bring the warm");
    await acts.reacted(ada.page, "Bring the warm");
  });
  await step("edits and deletions", async () => {
    await acts.edit(ada.page, "The boat leaves", "The boat leaves at seven.");
    await says(bob.page, "The boat leaves at seven.");
    await acts.write(bob.page, "Meet me at the old pier.");
    await says(ada.page, "Meet me at the old pier.");
    await acts.remove(bob.page, "Meet me at the old pier.");
    await reads(ada.page, "This message was deleted.");
  });
  await step("a file", () => file(ada.page, bob.page));
  await step("a voice message", () => voice(bob.page, ada.page));
  if (Number(wish.pace) > 0) await step("pace", () => pace(bob.page, ada.page, Number(wish.pace)));
  await look("conversation-ada", ada.page);
  await look("conversation-bob", bob.page);
  await step("safety numbers", async () => {
    const both = [await acts.safetyNumber(ada.page, "bob"), await acts.safetyNumber(bob.page, "ada")];
    if (both[0] !== both[1] || both[0]?.length !== 60) problem(`the safety numbers differ: ${both}`);
    await press(ada.page, "They are the same");
    await reads(ada.page, "is verified.");
    await look("person-ada", ada.page);
  });
  if (wish.carol) await step("carol at the command line", () => carol(ada.page, bob.page));
  await step("bob's box is off for a while", async () => {
    await ask({ ask: "off", box: "bob" });
    await acts.converse(ada.page, "bob");
    await acts.write(ada.page, "Are you asleep?");
    await acts.stands(ada.page, "Waiting at your box");
    await look("waiting-ada", ada.page);
    await ask({ ask: "on", box: "bob" });
    await acts.converse(bob.page, "ada");
    await says(bob.page, "Are you asleep?");
    await acts.stands(ada.page, "Delivered|Read");
  });

  const again = await step("ada closes the browser and signs in again", async () => {
    await leave(ada);
    const seat = await tor("ada again");
    await seat.page.goto(home);
    await until(seat.page, "the door", () => document.querySelector("form input"), null);
    await look("sign-in", seat.page);
    await acts.signIn(seat.page, home, "ada", PASSPHRASE);
    await whole(seat.page);
    await acts.write(seat.page, "Back again.");
    await says(bob.page, "Back again.");
    return seat;
  });
  const second = await step("a second device by its link", async () => {
    const link = await acts.deviceLink(again.page);
    if (!link.startsWith(`${home}/#/link/`)) problem(`a strange link: ${link.slice(0, 90)}`);
    const seat = await tor("ada's telephone");
    await seat.page.setViewport(SIZES.phone);
    await seat.page.goto(link);
    await reads(seat.page, "Add this device");
    await press(seat.page, "Add this device");
    await whole(seat.page);
    return seat;
  });
  await step("both devices stay in step", async () => {
    await acts.converse(again.page, "bob");
    await acts.write(second.page, "From my telephone.");
    await says(bob.page, "From my telephone.");
    await says(again.page, "From my telephone.");
    await acts.write(bob.page, "To both of yours.");
    await says(again.page, "To both of yours.");
    await says(second.page, "To both of yours.");
    await acts.write(again.page, "From the desk.");
    await says(second.page, "From the desk.");
    await look("second-device", second.page);
  });
  await step("both devices are lost: one backup code opens the archive", async () => {
    await leave(again);
    await leave(second);
    const seat = await tor("ada once more");
    await acts.signInByCode(seat.page, home, "ada", codes[0] ?? "");
    await look("by-code", seat.page);
    await whole(seat.page);
    await says(seat.page, "From my telephone.");
    await acts.write(seat.page, "I have it all.");
    await says(bob.page, "I have it all.");
    await acts.write(bob.page, "Good.");
    await says(seat.page, "Good.");
    if (/\b[a-z]+_[a-z]+\b/.test(await words(seat.page))) problem("a bare code is shown");
  });
}

/** A fresh Tor Browser at "Safer", at the group's onion. @param {string} who @returns {Promise<Seat>} */
async function tor(who) {
  const { browser, close } = await openBrowser("firefox", { socks: Number(wish.socks) });
  return seated({ page: await acts.openPage(browser, home, who, log), close });
}

/** Chromium on bob's machine. @returns {Promise<Seat>} */
async function machine() {
  const { browser, close } = await openBrowser("chromium", { hum: true });
  return seated({ page: await acts.openPage(browser, bobsHome, "bob", log), close });
}

/** @param {Seat} seat */
async function seated(seat) {
  await seat.page.setViewport(SIZES.desktop);
  seats.add(seat);
  return seat;
}

/** The browser closes and forgets everything. @param {Seat} seat */
async function leave(seat) {
  seats.delete(seat);
  await seat.close();
}

/** The whole conversation with bob is there. @param {Page} page */
async function whole(page) {
  await acts.converse(page, "bob");
  await says(page, "The boat leaves at seven.");
  await says(page, "Bring the warm coat.");
  await acts.reacted(page, "Bring the warm");
  await reads(page, "This message was deleted.");
  await reads(page, "sea-chart.txt");
}

/** @param {Page} from @param {Page} to */
async function file(from, to) {
  const path = join(wish.out, "sea-chart.txt");
  const content = "Twelve fathoms, sand and shells.\n".repeat(2_000);
  writeFileSync(path, content);
  await attach(from, path);
  await reads(from, "Send this file?");
  await press(from, "Send");
  await reads(to, "sea-chart.txt");
  if ((await acts.saved(to, "sea-chart.txt", join(wish.out, "saved"))) !== content)
    problem("the file arrived changed");
}

/** @param {Page} from @param {Page} to */
async function voice(from, to) {
  await press(from, "Record a voice message");
  await sound.lasts(from, 2);
  await press(from, "Send voice message");
  await acts.hear(to);
}

/** How long messages take from one screen to the other: one clock, since it is one machine.
 * @param {Page} from @param {Page} to @param {number} count */
async function pace(from, to, count) {
  await from.evaluate(() => {
    const key = (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Enter") document.documentElement.dataset["entered"] = String(Date.now());
    };
    document.addEventListener("keydown", key, true);
  });
  /** @type {number[]} */ const took = [];
  for (let number = 1; number <= count; number++) {
    const text = `Stroke ${number}.`;
    const seen = to.evaluate(
      (wanted) =>
        new Promise((done) => {
          const look = () => {
            const all = [...document.querySelectorAll(".bubble .words")].slice(-3);
            if (all.some((one) => one.textContent === wanted)) done(Date.now());
            else requestAnimationFrame(look);
          };
          look();
        }),
      text,
    );
    await acts.write(from, text);
    const entered = await from.evaluate(() => Number(document.documentElement.dataset["entered"]));
    took.push(Number(await seen) - entered);
  }
  took.sort((a, b) => a - b);
  const at = (/** @type {number} */ share) =>
    took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? 0;
  Object.assign(figures, { p50_ms: at(0.5), p95_ms: at(0.95), longest_ms: at(1) });
}

/** @param {Page} ada @param {Page} bob */
async function carol(ada, bob) {
  await acts.begin(ada, wish.carol);
  await acts.write(ada, "Hello carol.");
  await ask({ ask: "carol", do: "read", from: "ada", text: "Hello carol." });
  await ask({ ask: "carol", do: "accept", who: "ada" });
  await ask({ ask: "carol", do: "react", who: "ada", to: "Hello carol." });
  await acts.reacted(ada, "Hello carol.");
  await ask({ ask: "carol", do: "answer", who: "ada", to: "Hello carol.", text: "Hello from the terminal." });
  await says(ada, "Hello from the terminal.");
  await until(ada, "the quoted message", () => document.querySelector(".bubble .quote"), null);
  await ask({ ask: "carol", do: "write", who: await acts.ownAddress(bob), text: "Good day, bob." });
  await acts.accept(bob, "carol", "Good day, bob.");
  await acts.write(bob, "Good day, carol.");
  await ask({ ask: "carol", do: "read", from: "bob", text: "Good day, carol." });
  const digits = /** @type {string} */ (await ask({ ask: "carol", do: "safety", who: "bob" }));
  if (digits !== (await acts.safetyNumber(bob, "carol"))) problem("carol's safety number differs");
}

/** Have something done that no browser does. @param {Record<string, string>} what @returns {Promise<unknown>} */
async function ask(what) {
  console.log(JSON.stringify(what));
  const { value, done } = await lines.next();
  if (done) throw new Error("nobody answers");
  return JSON.parse(value);
}

/** @template T @param {string} name @param {() => Promise<T>} run @returns {Promise<T>} */
async function step(name, run) {
  const began = Date.now();
  const row = { step: name, seconds: 0 };
  steps.push(row);
  try {
    return await run();
  } finally {
    row.seconds = Math.round((Date.now() - began) / 100) / 10;
    if (process.env["TELL"]) console.error(name, row.seconds);
  }
}

/** @param {string} what */
function problem(what) {
  log.problems.push(what);
}

/** The present page in both sizes, light and dark: a picture, no barrier, nothing too wide.
 * @param {string} name @param {Page} page */
async function look(name, page) {
  if (!wish.look) return;
  const before = page.viewport() ?? SIZES.desktop;
  for (const size of Object.values(SIZES)) {
    await page.setViewport(size);
    for (const theme of /** @type {const} */ (["light", "dark"])) {
      await wear(page, theme);
      const found = [...(await barriers(page, theme === "dark")), ...(await tooWide(page))];
      log.problems.push(...found.map((one) => `${name}, ${size.name}, ${theme}: ${one}`));
      const path = join(wish.out, `${name}-${size.name}-${theme}.png`);
      await page.screenshot({ path });
      shots.push(path);
    }
  }
  await wear(page, "light");
  await page.setViewport(before);
}
