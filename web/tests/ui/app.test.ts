/** The whole page over a fake box: what the owner reads and does. */
import { cleanup, fireEvent, render, screen, waitFor, within } from "@testing-library/svelte";
import { afterEach, expect, test } from "vitest";
import { fakeCard } from "../../dev/onions.mjs";
import { forget } from "../../src/state/box.ts";
import { live } from "../../src/state/live.svelte.ts";
import { route } from "../../src/state/route.svelte.ts";
import { flushRemovals, toasts } from "../../src/state/toasts.svelte.ts";
import App from "../../src/ui/App.svelte";
import { wire, type Wired } from "../box.ts";

afterEach(() => {
  cleanup();
  live.state = undefined;
  route.claim = "";
  for (const toast of toasts.list) toasts.close(toast.id);
  forget();
});

function open(hash: string, options: Parameters<typeof wire>[0] = {}): Wired {
  const wired = wire(options);
  location.hash = hash;
  render(App);
  return wired;
}

async function go(place: string): Promise<void> {
  location.hash = `#/${place}`;
  window.dispatchEvent(new Event("hashchange"));
  await screen.findByRole("heading", { level: 1 });
}

async function type(label: RegExp, text: string): Promise<void> {
  await fireEvent.input(await screen.findByLabelText(label), { target: { value: text } });
}

async function press(name: RegExp): Promise<void> {
  const [control] = await screen.findAllByRole("button", { name });
  await fireEvent.click(control!);
}

test("before the first answer it says what it waits for", async () => {
  const wired = wire();
  wired.away = true;
  render(App);
  expect(screen.getByText("Reaching your box…")).toBeTruthy();
  expect(await screen.findByText(/does not answer/)).toBeTruthy();
});

test("without the one-time link nobody becomes the owner", async () => {
  open("", { claimed: false, signedIn: false });
  expect(await screen.findByText("This box has no owner yet")).toBeTruthy();
});

test("claim: both passphrases alike, long enough, with a name", async () => {
  const { box, asked } = open("#claim=first-light", { claimed: false, signedIn: false });
  await type(/^Passphrase$/, "short");
  await type(/^Passphrase again/, "other");
  await press(/Make it mine/);
  expect(await screen.findByText("Give yourself a name.")).toBeTruthy();
  expect(screen.getByText("Make it at least 8 characters long.")).toBeTruthy();
  expect(screen.getByText("The two passphrases are not the same.")).toBeTruthy();
  expect(asked).not.toContain("POST /v1/claim");
  await type(/^Your name/, "Ada");
  await type(/^Passphrase$/, "amber kelp seven lantern");
  await type(/^Passphrase again/, "amber kelp seven lantern");
  await press(/Make it mine/);
  expect(await screen.findByText("Hello, Ada")).toBeTruthy();
  expect(box.claimed).toBe(true);
});

test("a used link says so in the box's own sentence", async () => {
  open("#claim=yesterday", { claimed: false, signedIn: false });
  await type(/^Your name/, "Ada");
  await type(/^Passphrase$/, "amber kelp seven lantern");
  await type(/^Passphrase again/, "amber kelp seven lantern");
  await press(/Make it mine/);
  expect(await screen.findByText("This link is not valid any more.")).toBeTruthy();
});

test("a locked box says what it does until it is unlocked", async () => {
  const { box } = open("", { signedIn: false, locked: true });
  expect(await screen.findByText("Your box is locked")).toBeTruthy();
  await type(/^Passphrase/, "wrong");
  await press(/Unlock/);
  expect(await screen.findByText("The passphrase is wrong.")).toBeTruthy();
  await type(/^Passphrase/, box.passphrase);
  await press(/Unlock/);
  expect(await screen.findByText("Hello, Ada")).toBeTruthy();
});

test("a box that only relays shows only its own places", async () => {
  open("", { relayOnly: true });
  await screen.findByText("Hello, Ada");
  const [rail] = screen.getAllByRole("navigation");
  const links = within(rail!)
    .getAllByRole("link")
    .map((one) => one.textContent?.trim());
  expect(links).toEqual(["Home", "Relay", "Health", "Settings"]);
});

test("Tor's way is told in words", async () => {
  const { box } = open("");
  box.tor = { ...box.tor, phase: "bootstrapping", percent: 45, words: "Asking for the directory of relays." };
  box.changed();
  expect(await screen.findByText("Asking for the directory of relays.")).toBeTruthy();
  expect(screen.getByText(/Connected to the network: 45%/)).toBeTruthy();
});

test("a note: nothing is lost when sending fails, everything is gone when it was sent", async () => {
  const wired = open("#/send");
  const [person] = await screen.findAllByRole("radio", { name: /Marta/ });
  await fireEvent.click(person!);
  await type(/Your note/, "The boat leaves at seven.");
  wired.away = true;
  await press(/Send note/);
  expect((await screen.findAllByText(/does not answer/)).length).toBeGreaterThan(0);
  expect(localStorage.getItem("island.draft.send.note")).toBe("The boat leaves at seven.");
  wired.away = false;
  await press(/Send note/);
  expect(await screen.findByText("On its way to Marta.")).toBeTruthy();
  expect(localStorage.getItem("island.draft.send.note")).toBeNull();
  expect(wired.box.data.outbox[0]).toMatchObject({ kind: "note", contact_name: "Marta" });
});

test("a card is shown before it is added", async () => {
  const { box } = open("#/people/add", { empty: true });
  await type(/Their address card/, "ISLAND:AAAA");
  expect(await screen.findByText(/missing or mistyped/)).toBeTruthy();
  await type(/Their address card/, fakeCard(5, "Marta"));
  expect(await screen.findByText("The card is signed by its owner.")).toBeTruthy();
  await type(/Name you use/, "Marta from the harbour");
  await press(/Add contact/);
  await waitFor(() => expect(box.data.contacts.map((one) => one.name)).toEqual(["Marta from the harbour"]));
});

test("one's own card cannot be added", async () => {
  open("#/people/add", { empty: true });
  await type(/Their address card/, fakeCard(1, "Ada"));
  expect(await screen.findByText("This is your own card.")).toBeTruthy();
  expect(screen.getByRole<HTMLButtonElement>("button", { name: /Add contact/ }).disabled).toBe(true);
});

test("an opened item is seen; a deleted one can come back", async () => {
  const { box, asked } = open("#/inbox/in-1");
  expect((await screen.findAllByText(/Bring the warm coat/)).length).toBeGreaterThan(0);
  await waitFor(() => expect(asked).toContain("POST /v1/inbox/in-1/seen"));
  await press(/^Delete$/);
  await waitFor(() => expect(screen.queryAllByText(/The boat leaves/)).toEqual([]));
  await press(/^Undo$/);
  expect((await screen.findAllByText(/The boat leaves/)).length).toBeGreaterThan(0);
  expect(asked).not.toContain("DELETE /v1/inbox/in-1");
  await go("inbox/in-1");
  await press(/^Delete$/);
  flushRemovals();
  await waitFor(() => expect(box.data.inbox.some((item) => item.id === "in-1")).toBe(false));
});

test("somebody unknown is let in from what they sent", async () => {
  const { box } = open("#/inbox/in-2");
  expect(await screen.findByText(/is not among your contacts/)).toBeTruthy();
  await press(/Add to my contacts/);
  expect(await screen.findByText("Ferry office is now a contact.")).toBeTruthy();
  expect(box.data.contacts.find((one) => one.name === "Ferry office")?.request).toBe(false);
});

test("stopping a delivery asks once", async () => {
  const { box } = open("#/outbox");
  const before = box.data.outbox.length;
  await press(/^Cancel: /);
  expect(await screen.findByText("Stop sending this?")).toBeTruthy();
  await press(/^Stop sending$/);
  await waitFor(() => expect(box.data.outbox.length).toBe(before - 1));
});

test("an invitation is shown once and then forgotten", async () => {
  open("#/relay");
  await press(/Invite somebody/);
  await type(/Who is it for/, "Jonas");
  await press(/Create invitation/);
  expect(await screen.findByText("Hand over this invitation")).toBeTruthy();
  const code = document.querySelector("dialog .code")?.textContent ?? "";
  expect(code).toMatch(/^[a-z2-7]{56}\.onion\//);
  await press(/I have handed it over/);
  await waitFor(() => expect(document.body.textContent).not.toContain(code));
});

test("the chart has the same figures as a table", async () => {
  const { box } = open("#/relay");
  await screen.findByText("When they expire");
  const rows = document.querySelectorAll("figure tbody tr");
  expect([...rows].map((row) => Number(row.querySelector("td")?.textContent))).toEqual(
    box.data.days.map((one) => one.envelopes),
  );
});

test("a changed setting is saved alone, and a restart is announced", async () => {
  const { box } = open("#/settings");
  await type(/Usual time to keep/, "100");
  await type(/^Bridges/, "obfs4 one\n\nobfs4 two");
  await press(/Save changes/);
  expect(await screen.findByText("Some changes take effect when the box starts again.")).toBeTruthy();
  const value = (name: string): unknown => box.settings.find((one) => one.name === name)?.value;
  expect(value("ttl_default_hours")).toBe(100);
  expect(value("bridges")).toEqual(["obfs4 one", "obfs4 two"]);
});

test("a number that is none is not sent", async () => {
  const { asked } = open("#/settings");
  await type(/Usual time to keep/, "many");
  await press(/Save changes/);
  expect((await screen.findAllByText("This must be a number.")).length).toBeGreaterThan(0);
  expect(asked).not.toContain("PATCH /v1/settings");
});

test("a reader's private key is shown once", async () => {
  open("#/settings");
  await press(/Add a reader/);
  await type(/Whose key is it/, "Marta");
  const dialog = document.querySelector("dialog[open]") as HTMLElement;
  await fireEvent.click(within(dialog).getByRole("button", { name: /Add a reader/ }));
  expect(await screen.findByText("Hand over this key")).toBeTruthy();
  const key = document.querySelector("dialog .key")?.textContent ?? "";
  await press(/I have handed it over/);
  await waitFor(() => expect(document.body.textContent).not.toContain(key));
});

test("sign-out leaves nothing of the owner in the browser", async () => {
  localStorage.setItem("island.draft.send.note", "secret");
  open("#/settings");
  await press(/Sign out/);
  expect(await screen.findByText("Welcome back")).toBeTruthy();
  expect(localStorage.getItem("island.draft.send.note")).toBeNull();
});

test("a session that ended leads to the sign-in, and back to where one was", async () => {
  const { box } = open("#/health");
  await screen.findByRole("heading", { level: 1, name: "Health" });
  box.signedIn = false;
  box.changed();
  expect(await screen.findByText("Welcome back")).toBeTruthy();
  await type(/^Passphrase/, box.passphrase);
  await press(/Sign in/);
  expect(await screen.findByRole("heading", { level: 1, name: "Health" })).toBeTruthy();
});
