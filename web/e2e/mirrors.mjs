/**
 * The owner of a box mirrors a board of another box that trusts it, and reads it.
 *
 *   node e2e/mirrors.mjs --base URL --claim URL --room ADDRESS [--browser chromium|firefox] [--out DIR] [--look]
 *
 * On the board stands a thread "Tomatoes" by somebody whose post says "In August.". With --look every page is looked
 * at in both sizes, light and dark. Prints one JSON line: steps with their seconds, problems, screenshots. Leaves with
 * 1 on a problem.
 */
import { signUp } from "./acts.mjs";
import { choose, fill, go, press, reads, until } from "./page.mjs";
import { open, posted } from "./posts.mjs";
import { Run } from "./run.mjs";

const PASSPHRASE = "amber kelp seven lantern";
const run = new Run("mirrors");
const ada = await run.enter("ada");
await run.play(async () => {
  await run.step("claim", () => signUp(ada, run.claim, "ada", PASSPHRASE));
  await run.step("an address that is none", wrong);
  if (run.look) await run.step("look at the form", () => run.looks.place(ada, "boards/mirror"));
  await run.step("mirror a board", mirror);
  await run.step("read it", read);
  if (run.look) await run.step("look", look);
});

async function wrong() {
  await go(ada, "boards/mirror");
  await fill(ada, "Address of the board", run.room.slice(0, -1));
  await press(ada, "Look at it");
  await reads(ada, "not the address of a board");
}

async function mirror() {
  await go(ada, "boards/mirror");
  await fill(ada, "Address of the board", run.room);
  await press(ada, "Look at it");
  await reads(ada, "All that grows");
  await press(ada, "Mirror this board");
  await reads(ada, "A board of the box");
  await reads(ada, "Its box answered");
  await reads(ada, "1 thread, 1 post");
}

async function read() {
  await choose(ada, "Tomatoes");
  await posted(ada, "In August.");
  await reads(ada, "Signed by ");
  await reads(ada, "Read only here.");
  await until(ada, "no field", () => !document.querySelector(".write textarea"), null);
}

async function look() {
  const there = await ada.evaluate(() => location.hash.slice(2));
  await run.looks.place(ada, there);
  await open(ada, "Garden");
  const board = await ada.evaluate(() => location.hash.slice(2));
  await run.looks.place(ada, board);
}
