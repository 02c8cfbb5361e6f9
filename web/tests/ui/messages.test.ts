/** Conversations over the fake engine: what one reads, types and decides. */
import { cleanup, fireEvent, render, screen, waitFor, within } from "@testing-library/svelte";
import { afterEach, beforeEach, expect, test } from "vitest";
import { account, channels, messenger } from "../../dev/engine.ts";
import type { FakeConversation } from "../../dev/conversation.svelte.ts";
import { route } from "../../src/state/route.svelte.ts";
import { flushRemovals, toasts } from "../../src/state/toasts.svelte.ts";
import Shell from "../../src/ui/Shell.svelte";

beforeEach(() => {
  messenger.reset();
  channels.reset(new URLSearchParams("empty"));
  account.standing = "in";
  account.byCode = false;
});
afterEach(() => {
  cleanup();
  route.stop();
  for (const toast of toasts.list) toasts.close(toast.id);
});

function find(name: string): FakeConversation {
  return messenger.all.find((one) => one.name === name)!;
}

function open(name: string, rest = ""): FakeConversation {
  const talk = find(name);
  talk.pace = 0;
  show(`#/messages/${talk.id}${rest}`);
  return talk;
}

function show(hash: string): void {
  location.hash = hash;
  route.start();
  render(Shell);
}

function composer(name: string): HTMLTextAreaElement {
  return screen.getByRole<HTMLTextAreaElement>("textbox", { name: `Write to ${name}` });
}

async function write(name: string, text: string): Promise<void> {
  await fireEvent.input(composer(name), { target: { value: text } });
}

function entry(text: string): HTMLElement {
  return screen.getAllByText(text).at(-1)!.closest<HTMLElement>("[data-entry]")!;
}

test("the list tells who wrote, what, and how it stands", async () => {
  show("#/messages");
  const list = screen.getByRole("region", { name: "Conversations" });
  expect(within(list).getByText("Would like to write to you")).toBeTruthy();
  expect(within(list).getByText("is writing…")).toBeTruthy();
  expect(within(list).getByText("I shall be there by", { exact: false })).toBeTruthy();
  expect(within(list).getByText(/Not sent: The space for attachments is full/)).toBeTruthy();
  expect(document.title).toContain("(2)");
});

test("arrows go from conversation to conversation", async () => {
  show("#/messages");
  const rows = screen.getAllByRole("link").filter((one) => one.hasAttribute("data-row"));
  rows[0]!.focus();
  await fireEvent.keyDown(rows[0]!, { key: "ArrowDown" });
  expect(document.activeElement).toBe(rows[1]);
  await fireEvent.keyDown(rows[1]!, { key: "ArrowUp" });
  expect(document.activeElement).toBe(rows[0]);
});

test("every state of a message is said in words", () => {
  open("marta");
  for (const words of ["At their box", "Waiting at your box", "Sealed"])
    expect(screen.getAllByText(words, { selector: ".state" }).length).toBe(1);
  expect(screen.getByText(/^At their relay until \d+ \w+$/)).toBeTruthy();
  expect(screen.getByText("One message could not be read; it was asked for again.")).toBeTruthy();
  expect(screen.getByText("This message was deleted.")).toBeTruthy();
  expect(screen.getByText(/Messages disappear 1 week after they are read/)).toBeTruthy();
});

test("Enter sends, Shift and Enter do not; the draft is gone with it", async () => {
  const talk = open("marta");
  await write("Marta", "See you at seven.");
  expect(talk.draft).toBe("See you at seven.");
  await fireEvent.keyDown(composer("Marta"), { key: "Enter", shiftKey: true });
  expect(talk.asked).not.toContain("send See you at seven.");
  await fireEvent.keyDown(composer("Marta"), { key: "Enter" });
  await waitFor(() => expect(talk.asked).toContain("send See you at seven."));
  expect(composer("Marta").value).toBe("");
  expect(talk.draft).toBe("");
  expect(await screen.findByText("See you at seven.")).toBeTruthy();
});

test("what was typed is there again, also after a reload", async () => {
  open("marta");
  await write("Marta", "Half a sentence");
  cleanup();
  messenger.reset();
  open("marta");
  expect(composer("Marta").value).toBe("Half a sentence");
});

test("what was sent stays with the tab until it is kept, and is in no field", async () => {
  const talk = open("marta");
  const key = `island.typed.${talk.id}`;
  await write("Marta", "On the edge");
  await fireEvent.keyDown(composer("Marta"), { key: "Enter" });
  expect(composer("Marta").value).toBe("");
  expect(sessionStorage.getItem(key)).toBe("On the edge");
  cleanup();
  open("marta");
  expect(composer("Marta").value).toBe("");
  await waitFor(() => expect(sessionStorage.getItem(key)).toBe(null));
  await write("Marta", "One thing");
  await fireEvent.keyDown(composer("Marta"), { key: "Enter" });
  await write("Marta", "and another");
  await new Promise((done) => setTimeout(done, 300));
  expect(sessionStorage.getItem(key)).toBe("and another");
});

test("when sending is refused, the words come back", async () => {
  const talk = open("marta");
  talk.keyChange = null;
  talk.send = () => Promise.reject(new Error("no"));
  await write("Marta", "Do not lose me");
  await fireEvent.keyDown(composer("Marta"), { key: "Enter" });
  await waitFor(() => expect(composer("Marta").value).toBe("Do not lose me"));
});

test("a message answers, reacts and is edited by keyboard alone", async () => {
  const talk = open("marta");
  const text = "This waits at home.";
  entry(text).focus();
  await fireEvent.keyDown(entry(text), { key: "+" });
  const sign = await screen.findByRole("button", { name: "🎉" });
  await fireEvent.click(sign);
  await waitFor(() => expect(talk.asked).toContain("react 🎉"));
  await fireEvent.keyDown(entry(text), { key: "r" });
  expect(await screen.findByText("Answer to You")).toBeTruthy();
  await fireEvent.keyDown(composer("Marta"), { key: "Escape" });
  expect(screen.queryByText("Answer to You")).toBeNull();
  await fireEvent.keyDown(entry(text), { key: "e" });
  await waitFor(() => expect(composer("Marta").value).toBe(text));
  await write("Marta", "This waits at my box.");
  await fireEvent.keyDown(composer("Marta"), { key: "Enter" });
  await waitFor(() => expect(talk.asked).toContain("edit This waits at my box."));
  expect(composer("Marta").value).toBe("");
});

test("the arrow up in an empty field changes what one wrote last", async () => {
  const talk = open("marta");
  await fireEvent.keyDown(composer("Marta"), { key: "ArrowUp" });
  expect(await screen.findByText("You are editing a message")).toBeTruthy();
  expect(composer("Marta").value).toBe("This did not work.");
  await write("Marta", "This did.");
  await fireEvent.keyDown(composer("Marta"), { key: "Enter" });
  await waitFor(() => expect(talk.asked).toContain("edit This did."));
});

test("arrows walk through the messages, one of them is reached by Tab", async () => {
  open("marta");
  const entries = (): HTMLElement[] => [...document.querySelectorAll<HTMLElement>("[data-entry]")];
  expect(entries().filter((one) => one.tabIndex === 0)).toEqual([entries().at(-1)]);
  const last = entries().at(-1)!;
  last.focus();
  await fireEvent.keyDown(last, { key: "ArrowUp" });
  await waitFor(() => expect(document.activeElement).toBe(entries().at(-2)));
  expect(entries().at(-2)!.tabIndex).toBe(0);
});

test("deleting for oneself can be undone, for everyone it is asked", async () => {
  const talk = open("marta");
  const text = "This waits at home.";
  await fireEvent.keyDown(entry(text), { key: "Delete" });
  await fireEvent.click(await screen.findByRole("button", { name: "Delete for me" }));
  await waitFor(() => expect(screen.queryByText(text, { selector: ".words" })).toBeNull());
  toasts.act(toasts.list[0]!);
  await screen.findByText(text, { selector: ".words" });
  expect(talk.asked.some((one) => one.startsWith("remove"))).toBe(false);
  await fireEvent.keyDown(entry(text), { key: "Delete" });
  await fireEvent.click(await screen.findByRole("button", { name: "Delete for me" }));
  flushRemovals();
  await waitFor(() => expect(talk.asked).toContain("remove me"));
});

test("a failed message is sent again", async () => {
  const talk = open("marta");
  await fireEvent.click(screen.getByRole("button", { name: "Send again" }));
  await waitFor(() => expect(talk.asked).toContain("retry"));
});

test("a request can be read, and is answered only when it was accepted", async () => {
  const talk = open("ferry-office");
  expect(await screen.findByText("ferry-office would like to write to you")).toBeTruthy();
  expect(screen.queryByRole("textbox", { name: /Write to/ })).toBeNull();
  await fireEvent.click(screen.getByRole("button", { name: "Accept" }));
  expect(await screen.findByRole("textbox", { name: "Write to ferry-office" })).toBeTruthy();
  expect(talk.state).toBe("contact");
});

test("after a changed key nothing can be written before one has looked", async () => {
  const talk = open("jonas");
  expect(screen.getByText(/The safety number of Jonas Lindqvist changed/)).toBeTruthy();
  expect(screen.queryByRole("textbox", { name: /Write to/ })).toBeNull();
  await fireEvent.click(screen.getByRole("button", { name: "Accept the new number" }));
  expect(await screen.findByRole("textbox", { name: /Write to/ })).toBeTruthy();
  expect(talk.keyChange).toBeNull();
});

test("an open conversation is read", async () => {
  const talk = open("noura");
  await waitFor(() => expect(talk.asked).toContain("read"));
  expect(talk.unread).toBe(0);
  talk.hear("And one more");
  await waitFor(() => expect(talk.unread).toBe(0));
  expect(await screen.findByText("نورا: And one more")).toBeTruthy();
});

test("search leads to the message, however far back it is", async () => {
  const talk = find("marta");
  const old = talk.everything[10]!;
  open("marta", `/${old.id}`);
  await waitFor(() => expect(document.querySelector(`[data-entry="${old.id}"]`)).toBeTruthy());
  expect(document.querySelectorAll("[data-entry]").length).toBeLessThan(170);
});

test("the list is searched a moment after typing", async () => {
  show("#/messages");
  await fireEvent.input(screen.getByRole("textbox", { name: "Search your messages" }), {
    target: { value: "eleven seals" },
  });
  expect(await screen.findByText(/\d+ messages found/)).toBeTruthy();
  expect(screen.getAllByText("eleven seals", { selector: "mark" }).length).toBeGreaterThan(1);
});

test("a tab that does not write says so, and takes over", async () => {
  messenger.phase = "moved";
  open("marta");
  expect(screen.queryByRole("textbox", { name: /Write to/ })).toBeNull();
  await fireEvent.click(screen.getByRole("button", { name: "Go on here" }));
  expect(await screen.findByRole("textbox", { name: /Write to/ })).toBeTruthy();
});

test("messages disappear as chosen", async () => {
  const talk = open("jonas");
  await fireEvent.click(screen.getByRole("button", { name: "More" }));
  await fireEvent.click(await screen.findByRole("menuitem", { name: "Disappearing messages" }));
  await fireEvent.click(await screen.findByRole("radio", { name: "1 day" }));
  await fireEvent.click(screen.getByRole("button", { name: "Save" }));
  await waitFor(() => expect(talk.timer).toBe(86_400));
});
