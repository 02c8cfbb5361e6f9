/** What people do with channels: make, enter and look after them. */
import { choose, fill, go, press, reads, until } from "./page.mjs";

/** @typedef {import("puppeteer-core").Page} Page */

/** Make one, to where one can write in it. @param {Page} page @param {string} title @param {string} topic
 * @param {"private" | "public"} who */
export async function make(page, title, topic, who) {
  await go(page, "channels");
  await press(page, "New channel");
  await fill(page, "Name", title);
  if (topic) await fill(page, "Topic", topic);
  await press(page, who === "public" ? "Public" : "Private");
  await press(page, "Create channel");
  await reads(page, "What your box sees");
  await press(page, "Back");
  await composer(page);
}

/** Come into a public one. @param {Page} page @param {string} title */
export async function join(page, title) {
  await go(page, "channels");
  await press(page, `Join ${title}`);
  await composer(page);
}

/** Open one from the list. @param {Page} page @param {string} title */
export async function open(page, title) {
  await go(page, "channels");
  await choose(page, title);
  await composer(page);
}

/** The details of the open one: members, how it is set. @param {Page} page */
export async function about(page) {
  await press(page, "More");
  await press(page, "Members and details");
  await reads(page, "What your box sees");
}

/** Let somebody of the box into the open one. @param {Page} page @param {string} name */
export async function invite(page, name) {
  await about(page);
  await press(page, "Invite");
  await fill(page, "Their name", name);
  await press(page, "Invite");
  await reads(page, `${name} is in now.`);
  await press(page, "Back");
  await composer(page);
}

/** Make a member of the open one a moderator. @param {Page} page @param {string} name */
export async function promote(page, name) {
  await about(page);
  await press(page, `What to do with ${name}`);
  await press(page, "Make a moderator");
  await reads(page, `${name} is a moderator now.`);
  await press(page, "Back");
  await composer(page);
}

/** Put a member out of the open one. @param {Page} page @param {string} name */
export async function putOut(page, name) {
  await about(page);
  await press(page, `What to do with ${name}`);
  await press(page, "Put out");
  await press(page, "Put out");
  await reads(page, `${name} was put out.`);
  await press(page, "Back");
  await composer(page);
}

/** @param {Page} page */
async function composer(page) {
  await until(page, "the field", () => document.querySelector(".composer textarea"), null);
}
