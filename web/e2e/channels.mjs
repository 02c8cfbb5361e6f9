/**
 * Three people and the channels of one box, each in a real browser: one makes a private channel and lets the second in;
 * they write, mention, answer, react, change and pin; the third joins a public one; a message is reported and taken
 * down; who is put out reads nothing more.
 *
 *   node e2e/channels.mjs --base URL --claim URL [--browser chromium|firefox] [--out DIR] [--look]
 *
 * With --look every page of the channels is looked at in both sizes, light and dark. Prints one JSON line: steps with
 * their seconds, problems, screenshots. Leaves with 1 on a problem.
 */
import { answer, edit, invite, react, reacted, signUp, stands, write } from "./acts.mjs";
import { about, join, make, open, putOut as putOutOf } from "./channel.mjs";
import { barriers } from "./checks.mjs";
import { choose, fill, go, press, reads, says, until, words } from "./page.mjs";
import { menu } from "./posts.mjs";
import { Run } from "./run.mjs";

/** @typedef {import("puppeteer-core").Page} Page */

const PASSPHRASE = "amber kelp seven lantern";
const WATCH = "Night watch";
const FERRY = "Ferry talk";
const run = new Run("channels");
const { problems } = run;
const [ada, marta, leo] = [await run.enter("ada"), await run.enter("marta"), await run.enter("leo")];
await run.play(async () => {
  await run.step("claim", () => signUp(ada, run.claim, "ada", PASSPHRASE));
  for (const [page, name] of /** @type {const} */ ([
    [marta, "marta"],
    [leo, "leo"],
  ])) {
    const link = await run.step(`invite ${name}`, () => invite(ada, run.base, name));
    await run.step(`${name} comes`, () => signUp(page, link, name, PASSPHRASE));
  }
  await run.step("no channels yet", nothing);
  await run.step("a private channel", makePrivate);
  await run.step("somebody is let in", letIn);
  await run.step("both write", talk);
  await run.step("a mention", mention);
  await run.step("answer, sign, change", change);
  await run.step("pin", pin);
  await run.step("search", search);
  await run.step("a public channel", joinPublic);
  await run.step("ignore somebody", ignore);
  await run.step("slow mode", slow);
  await run.step("report and take down", report);
  if (run.look) await run.step("look", look);
  await run.step("put out", putOut);
  await run.step("leave, close and delete", end);
});

/** Wait until no message says this any more. @param {Page} page @param {string} text */
async function gone(page, text) {
  await until(
    page,
    `“${text}” to go`,
    (wanted) =>
      ![...document.querySelectorAll(".bubble .words")].some((one) => one.textContent?.includes(wanted)),
    text,
  );
}

async function nothing() {
  await go(marta, "channels");
  await reads(marta, "No channels yet");
}

async function makePrivate() {
  await go(ada, "channels");
  await press(ada, "New channel");
  await reads(ada, "New members read only what is said from their joining on.");
  problems.push(...(await barriers(ada)).map((one) => `the new channel: ${one}`));
  await press(ada, "Create channel");
  await reads(ada, "A name has 1 to 64 characters.");
  await fill(ada, "Name", WATCH);
  await fill(ada, "Topic", "Who has the lantern");
  await press(ada, "Create channel");
  await reads(ada, "What your box sees");
  await press(ada, "Back");
  await write(ada, "Before anybody came.");
  await reads(ada, "Sent");
}

async function letIn() {
  await about(ada);
  await press(ada, "Invite");
  await fill(ada, "Their name", "nobody.here");
  await press(ada, "Invite");
  await reads(ada, "There is no such account here.");
  problems.push(...(await barriers(ada)).map((one) => `inviting: ${one}`));
  await fill(ada, "Their name", "marta");
  await press(ada, "Invite");
  await reads(ada, "marta is in now.");
  await press(ada, "Back");
  await reads(ada, "ada let marta in.");
  await open(marta, WATCH);
  await reads(marta, "2 members");
}

async function talk() {
  await write(ada, "The fog is coming in.");
  await says(marta, "The fog is coming in.");
  await write(marta, "I light the lantern.");
  await says(ada, "I light the lantern.");
  await gone(marta, "Before anybody came.");
}

/** Typed with the list of names; told in the rail of somebody who is elsewhere. */
async function mention() {
  await go(ada, "people");
  await fill(marta, "", "Who relieves me, @a");
  await until(marta, "names", () => document.querySelector("[role=listbox] [role=option]"), null);
  problems.push(...(await barriers(marta)).map((one) => `names: ${one}`));
  await marta.keyboard.press("Enter");
  await marta.keyboard.type("perhaps?");
  await marta.keyboard.press("Enter");
  await says(marta, "Who relieves me, @ada perhaps?");
  await until(
    ada,
    "the mark",
    () => document.querySelector('nav a[href="#/channels"]')?.textContent?.includes("You were mentioned"),
    null,
  );
  await go(ada, "channels");
  await choose(ada, WATCH);
  await reads(ada, "New messages");
  await until(ada, "the mention", () => document.querySelector(".mention.me")?.textContent === "@ada", null);
  await until(ada, "no mark", () => !document.querySelector('nav a[href="#/channels"] .badge'), null);
}

async function change() {
  await answer(ada, "Who relieves me", "I do, at two.");
  await until(
    marta,
    "the quoted words",
    () =>
      [...document.querySelectorAll(".quote")].some((one) => one.textContent?.includes("Who relieves me")),
    null,
  );
  await react(marta, "I do, at two.");
  await reacted(ada, "I do, at two.");
  await until(ada, "the name", () => document.querySelector('.reactions button[title="from marta"]'), null);
  await edit(ada, "I do, at two.", "I do, at three.");
  await says(marta, "I do, at three.");
  await gone(marta, "I do, at two.");
}

async function pin() {
  await menu(ada, "The fog is coming in.", "Pin");
  for (const page of [ada, marta])
    await until(
      page,
      "the pinned message",
      () =>
        [...document.querySelectorAll("article button")].some((one) => one.textContent?.includes("Pinned")),
      null,
    );
}

async function search() {
  await press(marta, "Search in this channel");
  await until(marta, "the field", () => document.querySelector(".pane input, .body input"), null);
  await marta.keyboard.type("lantern");
  await until(marta, "a hit", () => document.querySelector("main mark"), null);
  await choose(marta, "I light the");
  await says(marta, "I light the lantern.");
}

/** Whoever joins reads what is said from then on, and nothing from before. */
async function joinPublic() {
  await make(ada, FERRY, "", "public");
  await write(ada, "Nobody hears this.");
  // Until the box has it, whoever joins first is given it.
  await reads(ada, "Sent");
  await join(leo, FERRY);
  await reads(ada, "leo joined.");
  await write(leo, "Is the ferry late?");
  await says(ada, "Is the ferry late?");
  await write(ada, "Half an hour.");
  await says(leo, "Half an hour.");
  await gone(leo, "Nobody hears this.");
}

/** Folded away at once and after a new beginning, until one ignores them no longer. */
async function ignore() {
  const folded = "leo, whom you ignore, wrote something.";
  await menu(ada, "Is the ferry late?", "Ignore leo");
  await reads(ada, folded);
  await gone(ada, "Is the ferry late?");
  await ada.reload();
  await open(ada, FERRY);
  await until(
    ada,
    "what is folded away",
    (wanted) => [...document.querySelectorAll("main ol li")].some((one) => one.textContent?.includes(wanted)),
    folded,
  );
  await go(ada, "account/privacy");
  await press(ada, "Ignore leo no longer");
  await open(ada, FERRY);
  await says(ada, "Is the ferry late?");
}

async function slow() {
  await about(ada);
  await press(ada, "Slow mode");
  await press(ada, "1 minute");
  await press(ada, "Save");
  await reads(ada, "Members wait 1 minute between two messages.");
  await reads(leo, "ada: members wait 1 minute between two messages.");
  await write(leo, "Thank you!");
  await reads(leo, "You can write again in");
  await press(ada, "Slow mode");
  await press(ada, "No waiting");
  await press(ada, "Save");
  await reads(ada, "Members write whenever they like.");
}

async function report() {
  await join(marta, FERRY);
  await open(leo, FERRY);
  await reads(leo, "marta joined.");
  await until(leo, "the end of waiting", () => !document.querySelector(".composer .wait"), null);
  await write(leo, "All captains are fools.");
  await menu(marta, "All captains are fools.", "Report");
  await press(marta, "Insult");
  await press(marta, "Send report");
  await reads(marta, "Somebody will look at it");
  await go(ada, "people/reports");
  await reads(ada, "All captains are fools.");
  await press(ada, "To the message");
  await says(ada, "All captains are fools.");
  await menu(ada, "All captains are fools.", "Take down");
  await press(ada, "Take down");
  for (const page of [ada, marta, leo]) {
    await gone(page, "All captains are fools.");
    await reads(page, "Taken down by those who keep order.");
  }
}

async function look() {
  await open(ada, WATCH);
  const id = await ada.evaluate(() => location.hash.split("/")[2] ?? "");
  for (const place of ["channels", `channels/${id}`, `channels/${id}/about`, `channels/${id}/search`])
    await run.looks.place(ada, place);
}

async function putOut() {
  await open(marta, WATCH);
  await open(ada, WATCH);
  await putOutOf(ada, "marta");
  await write(ada, "Now we are alone.");
  await stands(ada, "Sent");
  await reads(marta, "you are not in it");
  await marta.reload();
  await go(marta, "channels");
  await until(marta, "the list", () => document.querySelector("main li a"), null);
  await until(
    marta,
    "the channel to go from the list",
    (title) => ![...document.querySelectorAll("main li a")].some((one) => one.textContent?.includes(title)),
    WATCH,
  );
  if ((await marta.content()).includes("Now we are alone.")) problems.push("who was put out reads on");
}

async function end() {
  await open(leo, FERRY);
  await press(leo, "More");
  await press(leo, "Leave channel");
  await press(leo, "Leave channel");
  await reads(leo, "You left the channel.");
  await open(ada, FERRY);
  await reads(ada, "leo left.");
  await about(ada);
  await press(ada, "Close channel");
  await press(ada, "Close channel");
  await reads(ada, "This channel is closed.");
  await press(ada, "Delete channel");
  await press(ada, "Delete channel");
  await reads(ada, "The channel was deleted.");
  if (/\b[a-z]+_[a-z]+\b/.test(await words(ada))) problems.push("a bare code is shown");
}
