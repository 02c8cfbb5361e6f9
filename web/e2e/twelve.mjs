/**
 * A group of twelve on one box: ada owns it (Chromium, on its own address), ben keeps order (Firefox as Tor Browser at
 * "Safer"), cleo runs no scripts (the same at "Safest"); both come over the onion. Nine others use programs of their
 * own: what they do is asked for as in journey.mjs.
 *
 *   node e2e/twelve.mjs --claim CLAIM_URL --onion URL --socks PORT --names A,B,… [--out DIR]
 *
 * The last line is {steps, problems, errors, shots}. Leaves with 1 on a problem.
 */
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import * as acts from "./acts.mjs";
import { newPage, openBrowser, SIZES } from "./browser.mjs";
import * as channel from "./channel.mjs";
import { fill, go, press, reads, says, until } from "./page.mjs";
import * as plain from "./scriptless.mjs";
import * as posts from "./posts.mjs";

const { values: wish } = parseArgs({
  options: {
    claim: { type: "string", default: "" },
    onion: { type: "string", default: "" },
    socks: { type: "string", default: "0" },
    names: { type: "string", default: "" },
    out: { type: "string", default: join(tmpdir(), "island-twelve") },
  },
});

const PASSPHRASE = "amber kelp seven lantern";
const NAMES = wish.names.split(",");
/** Members of the private channel from the beginning. */
const COUNCIL = ["ben", "dora", "emil", "finn"];
const log = { problems: /** @type {string[]} */ ([]), errors: /** @type {string[]} */ ([]) };
/** @type {{step: string, seconds: number}[]} */ const steps = [];
/** @type {string[]} */ const shots = [];
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
mkdirSync(wish.out, { recursive: true });

const socks = Number(wish.socks);
const seats = await Promise.all([
  openBrowser("chromium"),
  openBrowser("firefox", { socks }),
  openBrowser("firefox", { socks, scripts: false }),
]);
const home = new URL(wish.claim).origin;
const ada = await acts.openPage(seats[0].browser, home, "ada", log);
const ben = await acts.openPage(seats[1].browser, wish.onion, "ben", log);
const cleo = await newPage(seats[2].browser);
const pages = { ada, ben, cleo };
await ada.setViewport(SIZES.desktop);
await ben.setViewport(SIZES.desktop);
await cleo.setViewport(SIZES.phone);
try {
  await come();
  await talkInPublic();
  await talkInPrivate();
  await board();
  await order();
} catch (error) {
  log.problems.push(`${steps.at(-1)?.step}: ${error instanceof Error ? error.message : String(error)}`);
  for (const [name, page] of Object.entries(pages))
    await page.screenshot({ path: join(wish.out, `problem-${name}.png`) }).catch(() => {});
} finally {
  for (const seat of seats) await seat.close().catch(() => {});
}
console.log(JSON.stringify({ steps, ...log, shots }));
process.exit(log.problems.length > 0 ? 1 : 0);

async function come() {
  await step("the owner makes the box hers", () => acts.signUp(ada, wish.claim, "ada", PASSPHRASE));
  const link = await step("one invite for eleven", () => acts.invite(ada, wish.onion, "The group", 11));
  const code = link.split("/").at(-1) ?? "";
  await step("nine come with their programs", async () => {
    for (const who of NAMES) await ask({ ask: "come", who, code });
  });
  await step("ben comes over the onion", () => acts.signUp(ben, link, "ben", PASSPHRASE));
  await step("cleo comes over the onion, without scripts", async () => {
    await cleo.goto(`${wish.onion}/plain/invite/${code}`);
    await plain.fill(cleo, "Name", "cleo");
    await plain.fill(cleo, "Passphrase", PASSPHRASE);
    await plain.fill(cleo, "Passphrase again", PASSPHRASE);
    await plain.turn(cleo, () => cleo.keyboard.press("Enter"));
    await plain.reads(cleo, "Your backup codes");
    await plain.tick(cleo, "I have written them down");
    await plain.press(cleo, "Go on");
    await plain.reads(cleo, "Your account");
  });
  await step("ben becomes a moderator of the box", async () => {
    await go(ada, "people/members");
    await press(ada, "What to do with ben");
    await press(ada, "Role and limits");
    await press(ada, "moderator");
    await press(ada, "Save");
    await until(ada, "the new role", () => document.body.innerText.match(/ben\s+moderator/), null);
  });
}

async function talkInPublic() {
  await step("a public channel", async () => {
    await channel.make(ada, "Garden", "What grows, and what should.", "public");
    for (const who of NAMES) await ask({ ask: "join", who, title: "Garden" });
    await channel.join(ben, "Garden");
  });
  await step("everybody says something, everybody reads it", async () => {
    for (const who of NAMES) await ask({ ask: "say", who, title: "Garden", text: `${who} is here.` });
    await acts.write(ada, "Welcome, all of you.");
    await acts.write(ben, "The beans are up.");
    const all = [...NAMES.map((who) => `${who} is here.`), "Welcome, all of you.", "The beans are up."];
    for (const page of [ada, ben]) for (const text of all) await says(page, text);
    for (const who of NAMES) await ask({ ask: "reads", who, title: "Garden", texts: all.slice(-2) });
    await shot(ada, "garden");
    await shot(ben, "garden-safer");
  });
}

async function talkInPrivate() {
  await step("a private channel", async () => {
    await channel.make(ada, "Council", "", "private");
    for (const who of COUNCIL) await channel.invite(ada, who);
    await channel.promote(ada, "ben");
    await acts.write(ada, "Only for the five of us.");
    await channel.open(ben, "Council");
    await says(ben, "Only for the five of us.");
    await acts.write(ben, "Understood.");
    for (const who of COUNCIL.slice(1))
      await ask({ ask: "reads", who, title: "Council", texts: ["Only for the five of us.", "Understood."] });
  });
  await step("emil is put out and reads nothing of what comes", async () => {
    await channel.putOut(ben, "emil");
    await acts.write(ada, "After emil.");
    await ask({ ask: "is out", who: "emil", title: "Council" });
    for (const who of ["dora", "finn"])
      await ask({ ask: "reads", who, title: "Council", texts: ["After emil."] });
  });
  await step("gita comes in and reads from then on", async () => {
    await channel.invite(ada, "gita");
    await acts.write(ada, "Good that you are here, gita.");
    const read = await ask({
      ask: "reads",
      who: "gita",
      title: "Council",
      texts: ["Good that you are here, gita."],
    });
    if (read.length !== 1) log.problems.push(`gita reads what was said before: ${read.join(" | ")}`);
    await shot(ada, "council");
  });
}

async function board() {
  await step("a board", async () => {
    await go(ada, "boards");
    await press(ada, "Make a board");
    await fill(ada, "Title", "Notices");
    await fill(ada, "What it is for", "What all should know.");
    await press(ada, "Make a board");
    await reads(ada, "Nothing here yet");
  });
  await step("cleo begins a thread without scripts", async () => {
    await plain.press(cleo, "Boards");
    await plain.press(cleo, "Notices");
    await plain.press(cleo, "Begin a thread");
    await plain.fill(cleo, "Subject", "The well");
    await plain.fill(cleo, "What you write", "It is **dry** since *Monday*.");
    await plain.press(cleo, "Post it");
    await plain.reads(cleo, "the box vouches for cleo");
  });
  await step("others answer, signed", async () => {
    await ask({ ask: "answer", who: "dora", board: "Notices", text: "I bring water." });
    await ask({ ask: "answer", who: "finn", board: "Notices", text: "Cleo is a fool." });
    await posts.open(ada, "Notices", "The well");
    await posts.posted(ada, "It is dry since Monday.");
    await reads(ada, "Signed by dora");
    await again();
    await plain.reads(cleo, "I bring water.");
    await shot(ada, "notices");
    await shot(cleo, "notices-safest");
  });
}

async function order() {
  await step("dora reports it, ben handles the report", async () => {
    await ask({ ask: "report", who: "dora", board: "Notices", text: "a fool" });
    await go(ben, "people/reports");
    await reads(ben, "About finn");
    await press(ben, "I look at it");
    await reads(ben, "You look at it");
    await press(ben, "To the post");
    await posts.menu(ben, "Cleo is a fool.", "Remove post");
    await press(ben, "Remove post");
    await reads(ben, "Removed by a moderator.");
    await go(ben, "people/reports");
    await press(ben, "Settle…");
    await press(ben, "removed");
    await press(ben, "Settle");
    await reads(ben, "Settled. The reporter is told.");
  });
  await step("the owner sees it in the audit log", async () => {
    await go(ada, "people/audit");
    await reads(ada, "made ben moderator");
    await reads(ada, "looks at a report about finn");
    await reads(ada, "removed a post in “Notices”");
    await reads(ada, "settled a report about finn");
    await shot(ada, "audit");
  });
  await step("it is gone for cleo too", async () => {
    await again();
    await plain.reads(cleo, "A moderator removed this post.");
    if ((await plain.words(cleo)).includes("a fool")) log.problems.push("cleo reads what was removed");
  });
}

/** Cleo goes to her thread anew, from its board. */
async function again() {
  await plain.press(cleo, "Notices");
  await plain.press(cleo, "The well");
}

/** @template T @param {string} name @param {() => Promise<T>} run @returns {Promise<T>} */
async function step(name, run) {
  const began = Date.now();
  const row = { step: name, seconds: 0 };
  steps.push(row);
  const done = await run();
  row.seconds = (Date.now() - began) / 1000;
  return done;
}

/** @param {Record<string, unknown>} question @returns {Promise<any>} */
async function ask(question) {
  console.log(JSON.stringify(question));
  const { value } = await lines.next();
  return JSON.parse(value ?? "null");
}

/** @param {import("puppeteer-core").Page} page @param {string} name */
async function shot(page, name) {
  const path = join(wish.out, `${name}.png`);
  await page.screenshot({ path });
  shots.push(path);
}
