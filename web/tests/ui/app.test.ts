/** The whole page over a fake box and engine: what one reads and does at the door and at one's own box. */
import { cleanup, fireEvent, render, screen, waitFor, within } from "@testing-library/svelte";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { account, messenger } from "../../dev/engine.ts";
import { forget } from "../../src/state/box.ts";
import { live } from "../../src/state/live.svelte.ts";
import { route } from "../../src/state/route.svelte.ts";
import { toasts } from "../../src/state/toasts.svelte.ts";
import { welcome } from "../../src/ui/door/welcome.svelte.ts";
import App from "../../src/ui/App.svelte";
import { wire, type Wired } from "../box.ts";

beforeAll(() => import("../../src/ui/Box.svelte"));
beforeEach(() => {
  account.reset(new URLSearchParams());
  messenger.reset();
});
afterEach(() => {
  cleanup();
  live.state = undefined;
  route.spend();
  welcome.codes = false;
  for (const toast of toasts.list) toasts.close(toast.id);
  forget();
});

function open(hash: string, wishes = "", options: Parameters<typeof wire>[0] = {}): Wired {
  const wired = wire(options);
  account.reset(new URLSearchParams(wishes));
  location.hash = hash;
  render(App);
  return wired;
}

async function type(label: RegExp, text: string): Promise<void> {
  await fireEvent.input(await screen.findByLabelText(label), { target: { value: text } });
}

async function press(name: RegExp): Promise<void> {
  const [control] = await screen.findAllByRole("button", { name });
  await fireEvent.click(control!);
}

test("without the one-time link nobody becomes the owner", async () => {
  open("", "new", { claimed: false, signedIn: false });
  expect(await screen.findByText("This box has no owner yet")).toBeTruthy();
});

test("claim: a good name, both passphrases alike and long enough, then codes to keep", async () => {
  open("#claim=first-light", "new", { claimed: false, signedIn: false });
  await type(/^Name/, "Ada Lovelace!");
  await type(/^Passphrase$/, "short");
  await type(/^Passphrase again/, "other");
  await press(/Make it mine/);
  expect(await screen.findByText(/Use 1 to 32 small letters/)).toBeTruthy();
  expect(screen.getByText("Make it at least 8 characters long.")).toBeTruthy();
  expect(screen.getByText("The two passphrases are not the same.")).toBeTruthy();
  expect(account.standing).toBe("out");
  await type(/^Name/, "ada");
  await type(/^Passphrase$/, "amber kelp seven lantern");
  await type(/^Passphrase again/, "amber kelp seven lantern");
  await press(/Make it mine/);
  expect(await screen.findByText("Your backup codes")).toBeTruthy();
  expect((await screen.findByRole("list", { name: "Backup codes" })).children.length).toBe(8);
  const on = screen.getByRole<HTMLButtonElement>("button", { name: "Go on" });
  expect(on.disabled).toBe(true);
  await fireEvent.click(screen.getByRole("switch", { name: /I have kept them/ }));
  await fireEvent.click(on);
  expect(await screen.findByRole("heading", { level: 1, name: "Messages" })).toBeTruthy();
});

test("a used link says so", async () => {
  open("#claim=yesterday", "new", { claimed: false, signedIn: false });
  await type(/^Name/, "ada");
  await type(/^Passphrase$/, "amber kelp seven lantern");
  await type(/^Passphrase again/, "amber kelp seven lantern");
  await press(/Make it mine/);
  expect(await screen.findByText("This link is not valid any more.")).toBeTruthy();
});

test("sign in: what is wrong is said, the second factor is asked for", async () => {
  open("", "door&totp", { signedIn: false });
  await type(/^Name/, "Ada@somewhere.onion");
  await type(/^Passphrase/, "wrong");
  await press(/^Sign in$/);
  expect(await screen.findByText("The name, the passphrase or the code is wrong.")).toBeTruthy();
  await type(/^Passphrase/, account.passphrase);
  await press(/^Sign in$/);
  await type(/Six digits/, "12345");
  await press(/Go on/);
  expect(await screen.findByText("These are six digits.")).toBeTruthy();
  await type(/Six digits/, "123 456");
  await press(/Go on/);
  expect(await screen.findByRole("heading", { level: 1, name: "Messages" })).toBeTruthy();
});

test("a backup code lets one in, and a new passphrase is asked for", async () => {
  open("", "door");
  await press(/Sign in with a backup code/);
  await type(/^Name/, "ada");
  await type(/^Backup code/, account.code);
  await press(/^Sign in$/);
  expect(await screen.findByText("Choose a new passphrase now")).toBeTruthy();
});

test("an invite that is none is told, a good one leads to an account", async () => {
  open("#/invite/bad", "door");
  expect(await screen.findByText("This invite cannot be used")).toBeTruthy();
  await press(/^Sign in$/);
  await press(/I have an invite/);
  await type(/^Invite/, "http://x.onion/#/invite/RK7D");
  await press(/Go on/);
  expect(await screen.findByText("You are invited")).toBeTruthy();
});

test("a link from another device lets this one in", async () => {
  open("#/link/Qm9hdHM", "door");
  await press(/Add this device/);
  expect(await screen.findByRole("heading", { level: 1, name: "Messages" })).toBeTruthy();
  expect(route.key).toBeUndefined();
});

test("a browser without the key of the archive asks for the passphrase only", async () => {
  open("", "locked");
  expect(await screen.findByText("Enter your passphrase")).toBeTruthy();
  await type(/^Passphrase/, account.passphrase);
  await press(/Unlock/);
  expect(await screen.findByRole("heading", { level: 1, name: "Messages" })).toBeTruthy();
});

test("a locked box says what it does until it is unlocked", async () => {
  open("", "door", { signedIn: false, locked: true });
  expect(await screen.findByText("Your box is locked")).toBeTruthy();
});

test("a member sees no box, its owner does", async () => {
  open("", "member");
  await screen.findByRole("heading", { level: 1, name: "Messages" });
  const words = (): string[] =>
    within(screen.getAllByRole("navigation")[0]!)
      .getAllByRole("link")
      .map((one) => one.textContent!.replace(/\W+|\d|unread messages/g, ""));
  expect(words()).not.toContain("Box");
  account.role = "owner";
  await waitFor(() => expect(words()).toContain("Box"));
});

test("a box that only relays shows only itself", async () => {
  open("", "", { relayOnly: true });
  // The pages of the box are a file of their own, which a busy machine takes a while to read.
  const heading = screen.findByRole("heading", { level: 1, name: "Your box" });
  expect(await heading).toBeTruthy();
  expect(within(screen.getAllByRole("navigation")[0]!).getAllByRole("link").length).toBe(1);
});

test("Tor's way is told in words", async () => {
  const { box } = open("#/home");
  box.tor = { ...box.tor, phase: "bootstrapping", percent: 45, words: "Asking for the directory of relays." };
  box.changed();
  expect(await screen.findByText("Asking for the directory of relays.")).toBeTruthy();
  expect(screen.getByText(/Connected to the network: 45%/)).toBeTruthy();
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
  localStorage.setItem("island.draft.people.address", "secret");
  open("#/account");
  await press(/Sign out/);
  expect(await screen.findByText("Welcome back")).toBeTruthy();
  expect(localStorage.getItem("island.draft.people.address")).toBeNull();
});

test("another language is spoken at once", async () => {
  const { language } = await import("../../src/state/language.ts");
  let drawn = 0;
  await language.start(() => (drawn += 1));
  open("#/account/profile");
  await fireEvent.click(await screen.findByRole("radio", { name: "Deutsch" }));
  await waitFor(() => expect(drawn).toBe(1));
  expect(document.documentElement.lang).toBe("de");
  await language.choose("en");
  expect(document.documentElement.lang).toBe("en");
});
