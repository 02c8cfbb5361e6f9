/** The boards' pages over a fake box: what one reads, writes and is asked. */
import { cleanup, fireEvent, render, screen, waitFor, within } from "@testing-library/svelte";
import { afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { account, messenger } from "../../dev/engine.ts";
import { FAR, resetGround, type FakeGround } from "../../dev/ground.ts";
import { signingPublic } from "../../src/protocol/keys.ts";
import { address as addressOf, publicKey, shortAddress } from "../../src/protocol/onion.ts";
import { writeRoom } from "../../src/protocol/room.ts";
import { Refusal } from "../../src/state/api.ts";
import { news } from "../../src/state/boards/news.svelte.ts";
import { route } from "../../src/state/route.svelte.ts";
import { toasts } from "../../src/state/toasts.svelte.ts";
import App from "../../src/ui/App.svelte";
import { marked, quoted } from "../../src/ui/boards/words.ts";
import { wire } from "../box.ts";

vi.setConfig({ testTimeout: 30_000 });

let ground: FakeGround;

beforeAll(() => import("../../src/ui/boards/Boards.svelte"));
beforeEach(() => {
  account.reset(new URLSearchParams());
  messenger.reset();
  sessionStorage.clear();
  news.on = true;
});
afterEach(() => {
  cleanup();
  for (const toast of toasts.list) toasts.close(toast.id);
  location.hash = "";
  route.open = route.rest = "";
});

function open(wishes = "", hash = "#/boards"): void {
  wire({});
  const asked = new URLSearchParams(wishes);
  account.reset(asked);
  ground = resetGround(asked);
  location.hash = hash;
  render(App);
}

const row = async (text: string): Promise<void> => {
  const one = await screen.findByText(text, { selector: "bdi" });
  location.hash = one.closest("a")!.getAttribute("href")!;
};
const press = async (name: RegExp | string): Promise<void> => {
  const all = await screen.findAllByRole("button", { name });
  await fireEvent.click(all.at(-1)!);
};
const type = async (label: RegExp, text: string): Promise<void> => {
  await fireEvent.input(await screen.findByLabelText(label), { target: { value: text } });
};

test("an owner is told to make the first board, a member that there is none yet", async () => {
  open("empty");
  expect(await screen.findByText(/Make the first one/)).toBeTruthy();
  cleanup();
  open("empty&member");
  expect(await screen.findByText(/has not made one/)).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Make a board" })).toBeNull();
});

test("a board is made, with a title", async () => {
  open("empty");
  await press("Make a board");
  await press("Make a board");
  expect(await screen.findByText(/Give it a title/)).toBeTruthy();
  await type(/^Title/, "Harbour");
  await press("Make a board");
  await waitFor(() => expect([...ground.boards.values()][0]!.about.title).toBe("Harbour"));
  expect(await screen.findByText("Nothing here yet")).toBeTruthy();
});

test("deleting asks, and says when somebody else must agree", async () => {
  open();
  await row("Harbour");
  await press("More");
  await fireEvent.click(await screen.findByRole("menuitem", { name: "Delete board" }));
  expect(await screen.findByText(/This cannot be undone/)).toBeTruthy();
  ground.wire.remove = () => Promise.reject(new Refusal("second_eyes", "", 409));
  await press("Delete board");
  expect(await screen.findByText(/must agree|agrees/)).toBeTruthy();
  expect(ground.boards.size).toBe(3);
});

const PEER = addressOf(signingPublic(new Uint8Array(32).fill(7)));

test("a keeper says which boxes may read a board, everybody sees how many, and one is put off after a question", async () => {
  open();
  await row("Harbour");
  await press("More");
  await fireEvent.click(await screen.findByRole("menuitem", { name: "Boxes that read along" }));
  expect(await screen.findByText("Only this box reads this board")).toBeTruthy();
  await press("Trust a box");
  await type(/^Address of the box/, PEER.replace(/^./, "1"));
  expect(await screen.findByText(/not an onion address/)).toBeTruthy();
  await type(/^Address of the box/, addressOf(ground.onion));
  expect(await screen.findByText("This is the address of this box.")).toBeTruthy();
  await type(/^Address of the box/, PEER);
  await press("Trust a box");
  expect(await screen.findByText(shortAddress(PEER))).toBeTruthy();
  const harbour = [...ground.boards.values()].find((one) => one.about.title === "Harbour")!;
  expect(screen.getByText(writeRoom({ home: ground.onion, room: harbour.about.id }))).toBeTruthy();
  location.hash = location.hash.replace("/peers", "");
  expect(await screen.findByText("One other box may read this board too.")).toBeTruthy();
  location.hash += "/peers";
  await press(/^Remove/);
  expect(await screen.findByText(/What it has read so far stays there/)).toBeTruthy();
  await press("Trust no longer");
  expect(await screen.findByText("Only this box reads this board")).toBeTruthy();
  expect(harbour.about.peers).toEqual([]);
});

test("a member sees which boxes read along, and cannot change that", async () => {
  open("member");
  const harbour = [...ground.boards.values()].find((one) => one.about.title === "Harbour")!;
  harbour.about = { ...harbour.about, peers: [publicKey(PEER)!] };
  await row("Harbour");
  location.hash = (await screen.findByRole("link", { name: /One other box/ })).getAttribute("href")!;
  expect(await screen.findByText(shortAddress(PEER))).toBeTruthy();
  expect(screen.queryByRole("button", { name: /^Remove|^Trust/ })).toBeNull();
});

async function mirror(): Promise<void> {
  location.hash = (await screen.findByRole("link", { name: "Mirror a board of another box" })).getAttribute(
    "href",
  )!;
  await type(/^Address of the board/, writeRoom({ home: FAR, room: new Uint8Array(16) }));
  await press("Look at it");
}

test("a board of another box is looked at, then mirrored; one reads it and writes nothing", async () => {
  open();
  await mirror();
  expect(await screen.findByText("Lamps and lenses.")).toBeTruthy();
  expect(screen.getByText("Its own box keeps them for 60 days.")).toBeTruthy();
  await press("Mirror this board");
  const home = shortAddress(addressOf(FAR));
  expect(await screen.findByText(`A board of the box ${home}`)).toBeTruthy();
  expect(await screen.findByText(/Its box answered/)).toBeTruthy();
  expect(screen.queryByRole("link", { name: "New thread" })).toBeNull();
  await press("More");
  expect(await screen.findByRole("menuitem", { name: "Delete board" })).toBeTruthy();
  for (const name of ["Close board", "Boxes that read along", "Waiting for a moderator"])
    expect(screen.queryByRole("menuitem", { name })).toBeNull();
  await row("A new lamp");
  expect(await screen.findByText("Signed by jonas")).toBeTruthy();
  expect(screen.getAllByText(`@${home}`).length).toBe(2);
  expect(screen.getByText(`Read only here. Whoever wants to write does that at ${home}.`)).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Thank" })).toBeNull();
  expect(screen.queryByLabelText("Write an answer")).toBeNull();
  await press("What to do with this post");
  expect(await screen.findByRole("menuitem", { name: "Copy link" })).toBeTruthy();
  for (const name of ["Report", "Remove post"]) expect(screen.queryByRole("menuitem", { name })).toBeNull();
});

test("an address that is none, one of this box, and a box that does not trust this one are told apart", async () => {
  open();
  location.hash = "#/boards/mirror";
  await type(/^Address of the board/, "nonsense");
  await press("Look at it");
  expect(await screen.findByText(/not the address of a board/)).toBeTruthy();
  await type(/^Address of the board/, writeRoom({ home: ground.onion, room: new Uint8Array(16) }));
  expect(await screen.findByText("This is a board of this box.")).toBeTruthy();
  ground.refuse = "no_room";
  await type(/^Address of the board/, writeRoom({ home: FAR, room: new Uint8Array(16) }));
  await press("Look at it");
  expect(await screen.findByText(/or your box may not read it/)).toBeTruthy();
});

test("a mirror says in words that nothing new comes", async () => {
  open();
  ground.mirror = { heard: null, behind: 3, skipped: 1, problem: "unreachable" };
  await mirror();
  await press("Mirror this board");
  expect(
    await screen.findByText(/Nothing new could be read: The other box could not be reached/),
  ).toBeTruthy();
  expect(screen.getByText(/3 entries are still to come. 1 entry was not genuine/)).toBeTruthy();
});

test("a thread that cannot be posted keeps its text, and is posted then", async () => {
  open();
  await row("Harbour");
  location.hash = (await screen.findByRole("link", { name: "New thread" })).getAttribute("href")!;
  await type(/^Subject/, "A red boat");
  await type(/^Text/, "Whose is **it**?");
  await press("Preview");
  expect((await screen.findByText("it")).tagName).toBe("STRONG");
  ground.refuse = "offline";
  await press("Post thread");
  expect(await screen.findByText(/Your text is still here/)).toBeTruthy();
  await press("Write");
  expect((screen.getByLabelText(/^Text/) as HTMLTextAreaElement).value).toBe("Whose is **it**?");
  ground.refuse = "";
  await press("Post thread");
  expect(await screen.findByText("Signed by ada")).toBeTruthy();
});

test("posts say whose they are; one that is not genuine shows no text", async () => {
  open();
  await row("Harbour");
  await row("Winter timetable");
  expect((await screen.findAllByText("Signed by marta")).length).toBe(1);
  expect(screen.getByText("Not genuine")).toBeTruthy();
  expect(screen.queryByText(/Send your passphrase/)).toBeNull();
  expect(screen.getByText("New since you were here")).toBeTruthy();
});

test("posts of somebody whom one ignores are folded away", async () => {
  open();
  await messenger.ignore("marta", true);
  await row("Harbour");
  await row("Winter timetable");
  const [first] = await screen.findAllByText("marta, whom you ignore, wrote something.");
  expect(screen.queryByText("Signed by marta")).toBeNull();
  await fireEvent.click(within(first!.closest("p")!).getByRole("button", { name: "Show" }));
  expect(await screen.findByText("Signed by marta")).toBeTruthy();
  await messenger.ignore("marta", false);
});

test("a refused answer goes back into the field", async () => {
  open();
  await row("Harbour");
  await row("Has anybody seen a red rowing boat?");
  await type(/^Write an answer/, "It is mine.");
  ground.refuse = "thread_locked";
  await press("Post");
  expect(await screen.findByText(/Your text is still here/)).toBeTruthy();
  expect((screen.getByLabelText(/^Write an answer/) as HTMLTextAreaElement).value).toBe("It is mine.");
});

test("whoever began a thread changes its subject with its text", async () => {
  open();
  const harbour = [...ground.boards.values()][0]!;
  ground.say(harbour, "ada", { kind: "post", subject: "A redd boat", body: "Whose is it?" });
  await row("Harbour");
  await row("A redd boat");
  const mine = (await screen.findByText("Signed by ada")).closest("li")!;
  await fireEvent.keyDown(mine, { key: "e" });
  await type(/^Subject/, "A red boat");
  await press("Save changes");
  expect(await screen.findByRole("heading", { name: "A red boat" })).toBeTruthy();
});

test("a report says why, once", async () => {
  open();
  const sent: unknown[] = [];
  const { post } = ground.wire;
  ground.wire.post = ((path: string, body: object) => {
    if (path === "/v1/reports") sent.push(body);
    return post(path, body);
  }) as typeof post;
  await row("Harbour");
  await row("Has anybody seen a red rowing boat?");
  const theirs = (await screen.findByText("Signed by jonas")).closest("li")!;
  await fireEvent.click(within(theirs).getByRole("button", { name: /What to do with this post/ }));
  await fireEvent.click(await screen.findByRole("menuitem", { name: "Report" }));
  await fireEvent.click(await screen.findByLabelText("Insult"));
  await press("Send report");
  expect(await screen.findByText(/Somebody will look at it/)).toBeTruthy();
  expect(sent).toMatchObject([{ why: "abuse" }]);
});

test("where boards are switched off there is no place for them", async () => {
  open();
  await screen.findByRole("link", { name: /Boards/ });
  news.on = false;
  await waitFor(() => expect(screen.queryByRole("link", { name: /Boards/ })).toBeNull());
});

test("words that were searched for are marked, however they are written", () => {
  const hits = (text: string, query: string): string[] =>
    marked(text, query)
      .filter((one) => one.hit)
      .map((one) => one.text);
  expect(hits("The Fähre leaves, ferries come", "fahre ferr")).toEqual(["Fähre", "ferries"]);
  expect(hits("leaving leaves", "leaves now")).toEqual(["leaves"]);
  expect(hits("水曜日の船", "曜日")).toEqual(["水曜日の船"]);
  expect(hits("<b>x</b>", "")).toEqual([]);
});

test("an answer quotes", () => {
  expect(quoted("a\n\nb")).toBe("> a\n> \n> b\n\n");
});
