/**
 * Two people and the boards of one box, each in a real browser: one makes a board, both write, answer, change, delete,
 * thank, report; the keeper pins, locks and removes; both search; a feed's address is shown and renewed.
 *
 *   node e2e/boards.mjs --base URL --claim URL [--browser chromium|firefox] [--out DIR] [--look]
 *
 * With --look every page of the boards is looked at in both sizes, light and dark. Prints one JSON line: steps with
 * their seconds, problems, screenshots. Leaves with 1 on a problem.
 */
import { invite, signUp } from "./acts.mjs";
import { choose, fill, go, holdTold, press, reads, until, words } from "./page.mjs";
import { atPost, gone, menu, open, posted } from "./posts.mjs";
import { Run } from "./run.mjs";

/** @typedef {import("puppeteer-core").Page} Page */

const PASSPHRASE = "amber kelp seven lantern";
/** Milliseconds within which the box finds what was posted. */
const INDEXED = 120_000;
/** A box that is nowhere. */
const PEER = "ksynqhipu7ia4st5mag7votpfmragwzc7yzv4f7n6x42uw5qkb2ctvyd.onion";
const run = new Run("boards");
const { problems } = run;
const [ada, marta] = [await run.enter("ada"), await run.enter("marta")];
await run.play(async () => {
  await run.step("claim", () => signUp(ada, run.claim, "ada", PASSPHRASE));
  const link = await run.step("invite", () => invite(ada, run.base, "Marta"));
  await run.step("second person", () => signUp(marta, link, "marta", PASSPHRASE));
  await run.step("a member without boards", nothing);
  await run.step("make a board", makeBoard);
  await run.step("a thread", thread);
  await run.step("answer at once", answer);
  await run.step("edit and versions", edit);
  await run.step("delete and undo", remove);
  await run.step("thanks and report", thankAndReport);
  await run.step("moderate", moderate);
  await run.step("search", search);
  await run.step("feed", feed);
  await run.step("what is unread", unread);
  await run.step("trust a box", trust);
  if (run.look) await run.step("look", look);
  await run.step("close and delete", end);
});

async function nothing() {
  await open(marta);
  await reads(marta, "No boards yet");
  await reads(marta, "has not made one");
}

async function makeBoard() {
  await open(ada);
  await press(ada, "Make a board");
  await press(ada, "Make a board");
  await reads(ada, "Give it a title");
  await fill(ada, "Title", "Harbour");
  await fill(ada, "What it is for", "Ferries and tides.");
  await press(ada, "Make a board");
  await reads(ada, "Nothing here yet");
  await reads(ada, "Ferries and tides.");
}

/** Typed, kept over a reload, looked at, posted. */
async function thread() {
  await press(ada, "New thread");
  await fill(ada, "Subject", "Winter timetable");
  const text = "The **ferry** leaves at seven. <script>alert(1)</script>";
  const holds = (/** @type {string} */ wanted) =>
    /** @type {HTMLTextAreaElement | null} */ (document.querySelector(".write textarea"))?.value === wanted;
  await fill(ada, "Text", text);
  await until(ada, "the text", holds, text);
  await ada.reload();
  await until(ada, "the draft", holds, text);
  await press(ada, "Preview");
  await until(ada, "the preview", () => document.querySelector(".look strong"), null);
  await press(ada, "Post thread");
  await posted(ada, "The ferry leaves at seven. <script>alert(1)</script>");
  await reads(ada, "Signed by ada");
}

async function answer() {
  await open(marta);
  await marta.reload();
  await open(marta, "Harbour", "Winter timetable");
  await posted(marta, "The ferry leaves");
  await atPost(marta, "The ferry leaves");
  await marta.keyboard.press("r");
  await reads(marta, "Your answer to ada");
  await until(marta, "the field", () => document.activeElement?.matches(".write textarea"), null);
  await marta.keyboard.type("And on Sunday?");
  await marta.keyboard.down("Control");
  await marta.keyboard.press("Enter");
  await marta.keyboard.up("Control");
  await posted(marta, "And on Sunday?");
  await reads(marta, "Signed by marta");
  // The other one sees it without doing anything.
  await posted(ada, "And on Sunday?");
}

async function edit() {
  await atPost(marta, "And on Sunday?");
  await marta.keyboard.press("e");
  await reads(marta, "You are editing your post");
  await fill(marta, "You are editing", "And on Saturday?");
  await press(marta, "Save changes");
  await posted(marta, "And on Saturday?");
  await posted(ada, "And on Saturday?");
  await press(ada, "edited");
  await reads(ada, "Versions of this post");
  await reads(ada, "And on Sunday?");
  await press(ada, "Close");
}

async function remove() {
  await fill(marta, "Write an answer", "Nonsense.");
  await press(marta, "Post");
  await posted(marta, "Nonsense.");
  await holdTold(marta, async () => {
    await menu(marta, "Nonsense.", "Delete");
    await gone(marta, "Nonsense.");
    await press(marta, "Undo");
    await posted(marta, "Nonsense.");
    await menu(marta, "Nonsense.", "Delete");
    await press(marta, "Dismiss");
  });
  await reads(marta, "Deleted by its author.");
  await reads(ada, "Deleted by its author.");
}

async function thankAndReport() {
  await atPost(ada, "And on Saturday?");
  await press(ada, "Thank");
  await reads(ada, "1 thanks");
  await menu(marta, "The ferry leaves", "Report");
  await fill(marta, "In your words", "It never leaves at seven.");
  await press(marta, "Send report");
  await reads(marta, "Somebody will look at it");
}

async function moderate() {
  await press(ada, "What to do with this thread");
  await press(ada, "Pin thread");
  await until(ada, "the pin", () => document.querySelector('header [aria-label="Pinned"]'), null);
  await press(ada, "What to do with this thread");
  await press(ada, "Lock thread");
  await reads(marta, "This thread is locked.");
  await press(ada, "What to do with this thread");
  await press(ada, "Unlock thread");
  await until(marta, "the field", () => document.querySelector(".write textarea"), null);
  await menu(ada, "And on Saturday?", "Remove post");
  await fill(ada, "Reason", "Off topic");
  await press(ada, "Remove post");
  await reads(ada, "Removed by a moderator.");
  await reads(marta, "Removed by a moderator.");
}

async function search() {
  await go(marta, "boards");
  await until(marta, "the field", () => document.querySelector(".top input"), null);
  // The box reads for its search what was posted, but not at once.
  for (const end = Date.now() + INDEXED; Date.now() < end;) {
    await fillSearch(marta, "ferr");
    await until(marta, "an answer", answered, null);
    if (await marta.$("main mark")) break;
    await fillSearch(marta, "");
  }
  await until(marta, "a hit", () => document.querySelector("main mark")?.textContent === "ferry", null);
  await choose(marta, "Winter timetable");
  await posted(marta, "The ferry leaves");
  await fillSearch(marta, "nowhere");
  await reads(marta, "No post has all these words.");
  await fillSearch(marta, "");
}

/** Whether the search has found something, or says that there is nothing. */
function answered() {
  return (
    document.querySelector("main mark") || document.body.innerText.includes("No post has all these words.")
  );
}

/** @param {Page} page @param {string} text */
async function fillSearch(page, text) {
  await page.evaluate((value) => {
    const input = /** @type {HTMLInputElement} */ (document.querySelector(".top input"));
    input.focus();
    input.value = value;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }, text);
}

async function feed() {
  await go(marta, "boards/feeds");
  await press(marta, "Show addresses");
  await until(marta, "the address", () => document.querySelector("main code"), null);
  const address = () => marta.$eval("main code", (one) => one.textContent ?? "");
  const before = await address();
  const get = (/** @type {string} */ path) => marta.evaluate(async (at) => (await fetch(at)).status, path);
  if ((await get(new URL(before).pathname)) !== 200) problems.push("the feed does not answer");
  await press(marta, "New addresses");
  await press(marta, "New addresses");
  await until(
    marta,
    "another address",
    (old) => document.querySelector("main code")?.textContent !== old,
    before,
  );
  if ((await get(new URL(before).pathname)) === 200) problems.push("the old feed still answers");
}

async function unread() {
  await go(ada, "boards");
  await open(ada, "Harbour");
  await open(marta, "Harbour");
  await press(marta, "New thread");
  await fill(marta, "Subject", "A red boat");
  await fill(marta, "Text", "Whose is it?");
  await press(marta, "Post thread");
  await posted(marta, "Whose is it?");
  await until(ada, "the mark", () => document.querySelector('a[href="#/boards"] .badge'), null);
  await choose(ada, "A red boat");
  await posted(ada, "Whose is it?");
  await until(ada, "no mark", () => !document.querySelector('a[href="#/boards"] .badge'), null);
}

async function trust() {
  await open(ada, "Harbour");
  await press(ada, "More");
  await press(ada, "Boxes that read along");
  await reads(ada, "Only this box reads this board");
  await press(ada, "Trust a box");
  await fill(ada, "Address of the box", PEER);
  await press(ada, "Trust a box");
  await reads(ada, `${PEER.slice(0, 8)}…`);
  await open(marta, "Harbour");
  await marta.reload();
  await reads(marta, "One other box may read this board too.");
}

async function look() {
  await open(ada, "Harbour");
  const board = await ada.evaluate(() => location.hash.split("/")[2] ?? "");
  await choose(ada, "Winter timetable");
  const there = await ada.evaluate(() => location.hash.slice(2));
  for (const place of [
    "boards",
    `boards/${board}`,
    `boards/${board}/new`,
    there,
    `boards/${board}/peers`,
    "boards/feeds",
  ])
    await run.looks.place(ada, place);
}

async function end() {
  await open(ada, "Harbour");
  await press(ada, "More");
  await press(ada, "Close board");
  await press(ada, "Close board");
  await reads(ada, "It can be read only.");
  await press(ada, "More");
  await press(ada, "Delete board");
  await press(ada, "Delete board");
  await reads(ada, "No boards yet");
  if (/\b[a-z]+_[a-z]+\b/.test(await words(ada))) problems.push("a bare code is shown");
}
