/** Order among members, over a fake box: what one may do is offered, what one may not is not, refusals are words. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cleanup, fireEvent, render, screen, within } from "@testing-library/svelte";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { account, messenger } from "../../dev/engine.ts";
import { inDetail } from "../../src/locales/refusals.ts";
import { MODERATOR_DAYS, RANKS, RIGHTS } from "../../src/state/account/rights.ts";
import { forget } from "../../src/state/box.ts";
import { live } from "../../src/state/live.svelte.ts";
import { route } from "../../src/state/route.svelte.ts";
import { toasts } from "../../src/state/toasts.svelte.ts";
import { endOf } from "../../src/ui/people/span.ts";
import App from "../../src/ui/App.svelte";
import { wire, type Wired } from "../box.ts";
import { WEB } from "../vectors.ts";

const NOW = 1_900_000_000;
const DAY = 86_400;

beforeAll(() => import("../../src/ui/people/Members.svelte"));
beforeEach(() => {
  account.reset(new URLSearchParams());
  messenger.reset();
});
afterEach(() => {
  cleanup();
  live.state = undefined;
  route.spend();
  for (const toast of toasts.list) toasts.close(toast.id);
  forget();
});

function open(hash: string, wishes = ""): Wired {
  const wired = wire();
  account.reset(new URLSearchParams(wishes));
  location.hash = hash;
  render(App);
  return wired;
}

async function press(name: RegExp | string): Promise<void> {
  const [control] = await screen.findAllByRole("button", { name });
  await fireEvent.click(control!);
}

/** What the menu of a member offers. */
async function offered(name: string): Promise<string[]> {
  await press(`What to do with ${name}`);
  const words = screen.getAllByRole("menuitem").map((one) => one.textContent?.trim() ?? "");
  await press(`What to do with ${name}`);
  return words;
}

async function choose(member: string, item: string): Promise<void> {
  await press(`What to do with ${member}`);
  await fireEvent.click(screen.getByRole("menuitem", { name: item }));
}

const rowOf = (name: string): HTMLElement => screen.getByText(name).closest("li")!;

test("the rights are those of the box", () => {
  const source = readFileSync(join(WEB, "../appliance/service/rights.py"), "utf8");
  const groups: Record<string, string[]> = {};
  for (const [, name, base, own] of source.matchAll(
    /^_(\w+): Final = (?:_(\w+) \| )?frozenset\[Role\]\(\{"(\w+)"\}\)/gm,
  ))
    groups[name!] = [...(base ? groups[base]! : []), own!];
  const rights = new Map(
    [...source.matchAll(/^ {4}"(\w+)": _([A-Z]+),/gm)].map(([, act, group]) => [act!, groups[group!]!]),
  );
  for (const [act, roles] of Object.entries(RIGHTS)) expect([act, rights.get(act)]).toEqual([act, roles]);
  const ranks = /RANKS.*= \{(.*)\}/.exec(source)![1]!;
  for (const [role, rank] of Object.entries(RANKS)) expect(ranks).toContain(`"${role}": ${rank}`);
  expect(source).toContain(`MODERATOR_DAYS: Final = ${MODERATOR_DAYS}`);
});

test("an end is a span, a day to come, or none; a moderator's lies within thirty days", () => {
  expect(endOf("7", "", NOW, false)).toBe(NOW + 7 * DAY);
  expect(Number(endOf("30", "", NOW, false))).toBeLessThanOrEqual(NOW + MODERATOR_DAYS * DAY);
  expect(endOf("never", "", NOW, true)).toBe(0);
  expect(endOf("date", "2001-01-01", NOW, true)).toBe("bad");
  expect(endOf("date", "", NOW, true)).toBe("bad");
  expect(endOf("date", "2031-01-01", NOW, false)).toBe("far");
  expect(endOf("date", "2031-01-01", NOW, true)).toBeGreaterThan(NOW + 30 * DAY);
});

test("refusals say what is in them, and fall back to their sentence", () => {
  expect(inDetail("suspended", { until: NOW, reason: "Adverts" })).toMatch(/until .*2030.*“Adverts”/);
  expect(inDetail("suspended", { until: null, reason: "" })).toMatch(/suspended by those who look after/);
  expect(inDetail("banned", { until: null })).toBeUndefined();
  expect(inDetail("second_eyes", { until: NOW })).toMatch(/waits for a second administrator, until .*2030/);
  expect(inDetail("karma", { needed: 10, have: 3 })).toContain("karma of 10, and you have 3");
  expect(inDetail("slow_mode", { seconds: 12.2 })).toContain("13 seconds");
  expect(inDetail("malformed", {})).toBeUndefined();
});

test("an owner sees what is held against whom, and may do everything but to herself", async () => {
  open("#/people/members");
  expect(await screen.findByText("leo")).toBeTruthy();
  expect(within(rowOf("leo")).getByText(/may not write on all boards, until/)).toBeTruthy();
  expect(within(rowOf("leo")).getByText("may not upload")).toBeTruthy();
  expect(within(rowOf("old.friend")).getByText(/Reason: “The same advert/)).toBeTruthy();
  expect(screen.queryByRole("button", { name: "What to do with ada" })).toBeNull();
  expect(await offered("leo")).toEqual([
    "Suspend",
    "Ban from writing",
    "Lift ban on all boards",
    "Role and limits",
    "Delete account",
  ]);
});

test("a moderator is offered what a moderator may do, and nothing against those above", async () => {
  open("#/people/members", "role=moderator");
  expect(await screen.findByText("leo")).toBeTruthy();
  expect(await offered("leo")).toEqual(["Suspend", "Ban from writing", "Lift ban on all boards"]);
  for (const name of ["jonas", "petra", "ada"])
    expect(screen.queryByRole("button", { name: `What to do with ${name}` })).toBeNull();
  await choose("leo", "Suspend");
  expect(screen.queryByRole("radio", { name: "No end" })).toBeNull();
  expect(screen.queryByRole("link", { name: /Invites/ })).toBeNull();
});

test("suspend until a day with a reason, and let back in", async () => {
  open("#/people/members");
  await screen.findByText("leo");
  await choose("leo", "Suspend");
  await fireEvent.click(screen.getByRole("radio", { name: "A date" }));
  await fireEvent.input(screen.getByLabelText("Last day"), { target: { value: "2001-01-01" } });
  const dialog = within(screen.getByRole("dialog"));
  await fireEvent.click(dialog.getByRole("button", { name: "Suspend" }));
  expect(await screen.findByText("Choose a day that is still to come.")).toBeTruthy();
  await fireEvent.click(screen.getByRole("radio", { name: "A week" }));
  await fireEvent.input(dialog.getByLabelText(/^Reason/), { target: { value: "Shouting" } });
  await fireEvent.click(dialog.getByRole("button", { name: "Suspend" }));
  expect(await within(rowOf("leo")).findByText(/until .*Reason: “Shouting”/)).toBeTruthy();
  await choose("leo", "Let back in");
  expect(await screen.findByText("leo")).toBeTruthy();
  expect(within(rowOf("leo")).queryByText(/Shouting/)).toBeNull();
});

test("bans come and go, a role is given with its limits", async () => {
  open("#/people/members");
  await screen.findByText("ferry-bot");
  await choose("ferry-bot", "Ban from writing");
  await fireEvent.click(screen.getByRole("radio", { name: "in all channels" }));
  await fireEvent.click(screen.getByRole("radio", { name: "No end" }));
  await press("Ban");
  expect(
    await within(rowOf("ferry-bot")).findByText(/in all channels, until somebody lifts it/),
  ).toBeTruthy();
  await choose("ferry-bot", "Lift ban in all channels");
  expect(await screen.findByText("The ban is lifted.")).toBeTruthy();
  await choose("leo", "Role and limits");
  await fireEvent.click(screen.getByRole("radio", { name: "moderator" }));
  expect(screen.getByText(/Keeps order/)).toBeTruthy();
  await press("Save");
  expect(await within(rowOf("leo")).findByText("moderator")).toBeTruthy();
});

test("what destroys waits for a second administrator, and says so", async () => {
  open("#/people/members", "four-eyes");
  await screen.findByText("leo");
  await choose("leo", "Delete account");
  await press("Delete account");
  expect(await screen.findByText(/waits for a second administrator, until/)).toBeTruthy();
  expect(screen.getByText("leo")).toBeTruthy();
});
