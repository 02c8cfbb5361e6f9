/** Channels over the fake desk: what one reads, writes and decides in them. */
import { cleanup, fireEvent, render, screen, waitFor, within } from "@testing-library/svelte";
import { afterEach, beforeEach, expect, test } from "vitest";
import { account, channels, messenger } from "../../dev/engine.ts";
import { identityOf, type FakeChannel } from "../../dev/channel.svelte.ts";
import { route } from "../../src/state/route.svelte.ts";
import { toasts } from "../../src/state/toasts.svelte.ts";
import { toBase64url } from "../../src/protocol/base64url.ts";
import { fromHex } from "../../src/protocol/bytes.ts";
import type { Report } from "../../src/state/order.ts";
import ReportCard from "../../src/ui/people/ReportCard.svelte";
import Shell from "../../src/ui/Shell.svelte";

beforeEach(() => {
  messenger.reset();
  channels.reset();
  account.standing = "in";
  account.byCode = false;
});
afterEach(() => {
  cleanup();
  route.stop();
  for (const toast of toasts.list) toasts.close(toast.id);
});

function find(title: string): FakeChannel {
  return channels.all.find((one) => one.title === title)!;
}

async function show(hash: string): Promise<void> {
  location.hash = hash;
  route.start();
  render(Shell);
  await screen.findByRole("heading", { name: "Channels" });
}

async function open(title: string, rest = ""): Promise<FakeChannel> {
  const channel = find(title);
  channel.pace = 0;
  await show(`#/channels/${channel.id}${rest}`);
  return channel;
}

function composer(title: string): HTMLTextAreaElement {
  return screen.getByRole<HTMLTextAreaElement>("textbox", { name: `Write to ${title}` });
}

async function write(title: string, text: string): Promise<void> {
  await fireEvent.input(composer(title), { target: { value: text, selectionStart: text.length } });
}

function entry(text: string | RegExp): HTMLElement {
  return screen.getAllByText(text).at(-1)!.closest<HTMLElement>("[data-entry]")!;
}

/** Choose from the menu of a message. */
async function choose(text: string | RegExp, action: string): Promise<void> {
  await fireEvent.click(within(entry(text)).getByRole("button", { name: "What to do with this message" }));
  await fireEvent.click(within(entry(text)).getByRole("menuitem", { name: action }));
}

const list = (): HTMLElement => screen.getByRole("region", { name: "Channels" });
const dialog = (): HTMLElement => screen.getByRole("dialog");

test("the list tells which channels there are, what is new, and which can be joined", async () => {
  await show("#/channels");
  const mine = within(list()).getByRole("list", { name: "Your channels" });
  const rows = within(mine).getAllByRole("link");
  expect(rows[0]!.textContent).toContain("Harbour watch");
  expect(within(rows[0]!).getByRole("img", { name: "You were mentioned" })).toBeTruthy();
  expect(within(rows[0]!).getByText("3 unread messages")).toBeTruthy();
  expect(within(mine).getByRole("img", { name: "muted" })).toBeTruthy();
  expect(within(mine).getByText("Closed")).toBeTruthy();
  expect(within(mine).getByText("When does it open?", { exact: false })).toBeTruthy();
  const others = within(list()).getByRole("list", { name: "Channels you can join" });
  expect(
    within(others)
      .getAllByRole("link")
      .map((one) => one.textContent),
  ).toHaveLength(2);
});

test("the list says that its rows may still change places", async () => {
  await show("#/channels");
  const rows = (): Element | null => list().querySelector("[aria-busy]");
  expect(rows()!.getAttribute("aria-busy")).toBe("false");
  channels.settling = true;
  await waitFor(() => expect(rows()!.getAttribute("aria-busy")).toBe("true"));
});

test("the rail counts what is new in channels that are not muted, and says that one was mentioned", async () => {
  await show("#/channels");
  const rail = screen.getByRole("navigation", { name: "Places" });
  expect(within(rail).getByText("3 unread messages in channels. You were mentioned")).toBeTruthy();
  expect(document.title).toContain("(5)");
});

test("the list is filtered while one types", async () => {
  await show("#/channels");
  const field = screen.getByRole("textbox", { name: "Find a channel" });
  await fireEvent.input(field, { target: { value: "lantern" } });
  expect(within(list()).getAllByRole("link")).toHaveLength(1);
  await fireEvent.input(field, { target: { value: "nothing like it" } });
  expect(within(list()).getByText("No channel by that name.")).toBeTruthy();
});

test("without channels the page says how to begin one", async () => {
  channels.reset(new URLSearchParams("empty"));
  await show("#/channels");
  expect(screen.getByText("No channels yet")).toBeTruthy();
});

test("a list that did not come is asked for again", async () => {
  channels.reset(new URLSearchParams("empty&broken"));
  await show("#/channels");
  await fireEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("No channels yet")).toBeTruthy();
});

test("a channel is made with name, topic and who can come in, and its page opens", async () => {
  await show("#/channels");
  await fireEvent.click(screen.getByRole("button", { name: "New channel" }));
  await fireEvent.click(within(dialog()).getByRole("button", { name: "Create channel" }));
  expect(within(dialog()).getByText("A name has 1 to 64 characters.")).toBeTruthy();
  await fireEvent.input(within(dialog()).getByRole("textbox", { name: "Name" }), {
    target: { value: "  Night boats " },
  });
  await fireEvent.click(within(dialog()).getByRole("radio", { name: /^Public/ }));
  await fireEvent.click(within(dialog()).getByRole("button", { name: "Create channel" }));
  await waitFor(() => expect(find("Night boats")?.public).toBe(true));
  expect(location.hash).toBe(`#/channels/${find("Night boats").id}/about`);
});

test("a public channel is joined from the list", async () => {
  await show("#/channels");
  await fireEvent.click(screen.getByRole("button", { name: "Join Book swap" }));
  await waitFor(() => expect(find("Book swap").asked).toContain("join"));
  expect(location.hash).toBe(`#/channels/${find("Book swap").id}`);
});

test("who is not in a public channel sees what it is, and joins it", async () => {
  const channel = await open("Book swap");
  expect(screen.queryByRole("textbox", { name: "Write to Book swap" })).toBeNull();
  const pane = screen.getByText("Leave one, take one", { selector: ".topic" }).parentElement!;
  await fireEvent.click(within(pane).getByRole("button", { name: "Join Book swap" }));
  expect(await screen.findByText("Who has the second volume?")).toBeTruthy();
  expect(composer("Book swap")).toBeTruthy();
  expect(channel.role).toBe("member");
});

test("messages stand under names, what is new under a line, changes of the members in words", async () => {
  await open("Harbour watch");
  const first = entry("Then I keep the lantern until you come.");
  expect(within(first).getByText("New messages")).toBeTruthy();
  expect(within(first).getByText("marta")).toBeTruthy();
  expect(screen.getByText("marta made jonas a moderator.")).toBeTruthy();
  expect(screen.getByText("jonas put spammer out.")).toBeTruthy();
  expect(screen.getByText("ada: messages disappear 1 week after they are written.")).toBeTruthy();
  expect(screen.getByText("Taken down by those who keep order.")).toBeTruthy();
  expect(screen.getByText("This message was deleted.")).toBeTruthy();
  expect(screen.getByText("The key to this message has not come yet. It was asked for.")).toBeTruthy();
  expect(screen.getByText("@leo").className).toContain("mention");
  expect(screen.getByText("@ada").className).toContain("me");
});

test("an open channel is read", async () => {
  const channel = await open("Harbour watch");
  await waitFor(() => expect(channel.asked).toContain("read"));
  expect(channels.unread).toBe(0);
});

test("what is written is shown at once and says when it was sent", async () => {
  const channel = await open("Harbour watch");
  channel.pace = 5;
  await write("Harbour watch", "I am at the jetty.");
  expect(channel.draft).toBe("I am at the jetty.");
  await fireEvent.keyDown(composer("Harbour watch"), { key: "Enter" });
  expect(channel.asked).toContain("send I am at the jetty.");
  expect(composer("Harbour watch").value).toBe("");
  expect(await screen.findByText("I am at the jetty.")).toBeTruthy();
  await waitFor(() => expect(within(entry("I am at the jetty.")).getByText("Sent")).toBeTruthy());
});

test("a name behind an @ is completed by keyboard", async () => {
  await open("Harbour watch");
  await write("Harbour watch", "Ask @");
  const names = await screen.findByRole("listbox", { name: "People to mention" });
  expect(
    within(names)
      .getAllByRole("option")
      .map((one) => one.textContent.trim()),
  ).toEqual(["jonas", "leo", "marta", "noura"]);
  const field = composer("Harbour watch");
  await fireEvent.keyDown(field, { key: "ArrowDown" });
  const active = document.getElementById(field.getAttribute("aria-activedescendant")!)!;
  expect(active.textContent).toContain("leo");
  expect(active.getAttribute("aria-selected")).toBe("true");
  await fireEvent.keyDown(field, { key: "Enter" });
  expect(field.value).toBe("Ask @leo ");
  expect(screen.queryByRole("listbox")).toBeNull();
});

test("answers, signs and edits by keyboard alone; who reacted is said", async () => {
  const channel = await open("Harbour watch");
  const answered = "In the shed, left of the door.";
  expect(within(entry(answered)).getByRole("button", { name: "👍2 from leo, you" })).toBeTruthy();
  await fireEvent.keyDown(entry(answered), { key: "r" });
  expect(await screen.findByText("Answer to jonas")).toBeTruthy();
  await fireEvent.keyDown(composer("Harbour watch"), { key: "Escape" });
  await fireEvent.keyDown(entry(answered), { key: "+" });
  await fireEvent.click(await screen.findByRole("button", { name: "🎉" }));
  await waitFor(() => expect(channel.asked).toContain("react 🎉"));
  await fireEvent.keyDown(composer("Harbour watch"), { key: "ArrowUp" });
  expect(composer("Harbour watch").value).toBe("With the table under my arm.");
});

test("a message that failed says why, is sent again or thrown away", async () => {
  const channel = await open("Harbour watch");
  const failed = entry("With the table under my arm.");
  expect(within(failed).getByText(/Not sent: That was a lot in a short time/)).toBeTruthy();
  await fireEvent.click(within(failed).getByRole("button", { name: "Throw away" }));
  await waitFor(() => expect(screen.queryByText("With the table under my arm.")).toBeNull());
  expect(channel.asked).toContain("drop");
});

test("an owner pins, and takes down what somebody else wrote", async () => {
  const channel = await open("Harbour watch");
  await choose(/^The fog is coming in/, "Pin");
  expect(channel.asked).toContain("pin");
  expect(await screen.findByText("2 pinned messages")).toBeTruthy();
  await choose(/^The fog is coming in/, "Take down");
  await fireEvent.click(within(dialog()).getByRole("button", { name: "Take down" }));
  await waitFor(() => expect(channel.asked).toContain("remove"));
  expect(screen.getAllByText("Taken down by those who keep order.")).toHaveLength(2);
});

test("a member reports a message with what it says, and cannot take it down", async () => {
  const channel = await open("Ferry talk");
  const text = "The 16:10 leaves at 16:40 today.";
  await fireEvent.click(within(entry(text)).getByRole("button", { name: "What to do with this message" }));
  expect(within(entry(text)).queryByRole("menuitem", { name: "Take down" })).toBeNull();
  await fireEvent.click(within(entry(text)).getByRole("menuitem", { name: "Report" }));
  expect(within(dialog()).getByText(text)).toBeTruthy();
  await fireEvent.click(within(dialog()).getByRole("radio", { name: "Insult" }));
  await fireEvent.click(within(dialog()).getByRole("button", { name: "Send report" }));
  await waitFor(() => expect(channel.asked).toContain("report abuse "));
});

test("slow mode counts down, and nothing is sent before", async () => {
  const channel = await open("Ferry talk");
  await write("Ferry talk", "Thank you.");
  await fireEvent.keyDown(composer("Ferry talk"), { key: "Enter" });
  expect(await screen.findByText(/You can write again in \d+ seconds|1 minute/)).toBeTruthy();
  await write("Ferry talk", "And again.");
  await fireEvent.keyDown(composer("Ferry talk"), { key: "Enter" });
  expect(channel.asked.filter((one) => one.startsWith("send"))).toEqual(["send Thank you."]);
  expect(composer("Ferry talk").value).toBe("And again.");
});

test.each([
  ["Lighthouse", "Something is wrong with this channel"],
  ["Regatta 1987 and everything that was said about it since", /^This channel is closed\./],
] as const)("%s: one is told why nothing can be written", async (title, words) => {
  await open(title);
  expect(screen.getAllByText(words).length).toBeGreaterThan(0);
  expect(screen.queryByRole("textbox", { name: `Write to ${title}` })).toBeNull();
});

test("keys on their way are counted in words", async () => {
  await open("The whole island");
  expect(screen.getByRole("progressbar", { name: /^Giving your key to 37 of 400 devices/ })).toBeTruthy();
});

test("search in a channel leads to the message, however far back it is", async () => {
  const channel = await open("Harbour watch", "/search");
  await fireEvent.input(screen.getByRole("textbox", { name: "Search in this channel" }), {
    target: { value: "two boats" },
  });
  const hits = await screen.findAllByText("Two boats", { selector: "mark" });
  await fireEvent.click(hits.at(-1)!.closest("a")!);
  location.hash = hits.at(-1)!.closest("a")!.getAttribute("href")!;
  window.dispatchEvent(new Event("hashchange"));
  const oldest = channel.everything.find((one) => one.text.startsWith("Two boats"))!;
  await waitFor(() => expect(document.querySelector(`[data-entry="${oldest.id}"]`)).toBeTruthy());
});

test("the details say what the box sees, and members are put out after a question", async () => {
  const channel = await open("Harbour watch", "/about");
  expect(screen.getByText(/^It cannot read messages, files, reactions/)).toBeTruthy();
  await fireEvent.click(screen.getByRole("button", { name: "What to do with leo" }));
  await fireEvent.click(screen.getByRole("menuitem", { name: "Put out" }));
  expect(within(dialog()).getByText(/cannot read what is said from now on/)).toBeTruthy();
  await fireEvent.click(within(dialog()).getByRole("button", { name: "Put out" }));
  await waitFor(() => expect(channel.asked).toContain("put out leo"));
  expect(channel.members.some((one) => one.identity === identityOf("leo"))).toBe(false);
});

test("somebody is invited by name with a role; who is in already is not", async () => {
  const channel = await open("Harbour watch", "/about");
  await fireEvent.click(screen.getByRole("button", { name: "Invite" }));
  const field = within(dialog()).getByRole("combobox", { name: "Their name" });
  await fireEvent.input(field, { target: { value: "marta" } });
  await fireEvent.click(within(dialog()).getByRole("button", { name: "Invite" }));
  expect(within(dialog()).getByText("They are in this channel already.")).toBeTruthy();
  await fireEvent.input(field, { target: { value: " @Kaj" } });
  await fireEvent.click(within(dialog()).getByRole("radio", { name: "Moderator" }));
  await fireEvent.click(within(dialog()).getByRole("button", { name: "Invite" }));
  await waitFor(() => expect(channel.asked).toContain("invite kaj moderator"));
});

test("a member sees no buttons for what only others may do", async () => {
  await open("Ferry talk", "/about");
  expect(screen.getByText("Members wait 1 minute between two messages.")).toBeTruthy();
  for (const name of ["Invite", "Change name and topic", "Slow mode", "Close channel", "Delete channel"])
    expect(screen.queryByRole("button", { name })).toBeNull();
  await fireEvent.click(screen.getByRole("button", { name: "Leave channel" }));
  await fireEvent.click(within(dialog()).getByRole("button", { name: "Leave channel" }));
  await waitFor(() => expect(find("Ferry talk").role).toBeNull());
});

test("an owner changes name, timer and slow mode, closes and deletes", async () => {
  const channel = await open("Harbour watch", "/about");
  await fireEvent.click(screen.getByRole("button", { name: "Change name and topic" }));
  await fireEvent.input(within(dialog()).getByRole("textbox", { name: "Name" }), {
    target: { value: "Night watch" },
  });
  await fireEvent.click(within(dialog()).getByRole("button", { name: "Save" }));
  await waitFor(() => expect(channel.title).toBe("Night watch"));
  await fireEvent.click(screen.getByRole("button", { name: "Slow mode" }));
  await fireEvent.click(within(dialog()).getByRole("radio", { name: "15 seconds" }));
  await fireEvent.click(within(dialog()).getByRole("button", { name: "Save" }));
  await waitFor(() => expect(channel.slow).toBe(15));
  await fireEvent.click(screen.getByRole("button", { name: "Close channel" }));
  await fireEvent.click(within(dialog()).getByRole("button", { name: "Close channel" }));
  await waitFor(() => expect(channel.closed).toBe(true));
  await fireEvent.click(screen.getByRole("button", { name: "Delete channel" }));
  await fireEvent.click(within(dialog()).getByRole("button", { name: "Delete channel" }));
  await waitFor(() => expect(channels.all).not.toContain(channel));
});

test.each([
  ["Harbour watch", true],
  ["Book swap", false],
])("a report about a message in %s leads to it: %s", (title, linked) => {
  const channel = find(title);
  const { entry } = channel.everything.find((one) => one.entry !== "")!;
  const report = {
    ...{ id: "r", why: "abuse", words: "", evidence: "Go away", area: "channels", account: null },
    ...{ about: "leo", role: "member", trusted: true, reporter: "marta", second: 0, phase: "open" },
    ...{ taken_by: "", changed: 0, did: [], answer: "", note: "" },
    log: toBase64url(fromHex(channel.id)),
    entry: toBase64url(fromHex(entry)),
  } as unknown as Report;
  render(ReportCard, { report, changed: () => {}, close: () => {} });
  const way = screen.queryByRole("link", { name: "To the message" });
  expect(way?.getAttribute("href")).toBe(linked ? `#/channels/${channel.id}/${entry}` : undefined);
});

test("what somebody wrote whom one ignores is folded away, and can be looked at", async () => {
  await open("Harbour watch");
  const folded = (): HTMLElement[] =>
    screen.queryAllByText("marta, whom you ignore, wrote something.", { selector: "p > span" });
  await choose(/The list of watches is pinned above/, "Ignore marta");
  expect(messenger.ignored.has("marta")).toBe(true);
  expect(screen.queryByText(/The list of watches is pinned above/, { selector: ".words" })).toBeNull();
  const before = folded().length;
  expect(before).toBeGreaterThan(1);
  await fireEvent.click(within(folded()[0]!.closest("p")!).getByRole("button", { name: "Show" }));
  expect(folded().length).toBe(before - 1);
  await fireEvent.click(await screen.findByRole("button", { name: "Undo" }));
  await waitFor(() => expect(messenger.ignored.size).toBe(0));
  expect(folded()).toEqual([]);
});
