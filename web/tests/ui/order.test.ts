/** Order among members, over a fake box: what one may do is offered, what one may not is not, refusals are words. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cleanup, fireEvent, render, screen, waitFor, within } from "@testing-library/svelte";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { account, messenger } from "../../dev/engine.ts";
import { LANGUAGES } from "../../src/locales/index.ts";
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

beforeAll(() =>
  Promise.all([
    import("../../src/ui/people/Members.svelte"),
    import("../../src/ui/people/Reports.svelte"),
    import("../../src/ui/people/OwnReports.svelte"),
    import("../../src/ui/people/Audit.svelte"),
    import("../../src/ui/people/Look.svelte"),
    import("../../src/ui/Box.svelte"),
  ]),
);
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

test("the queue: told in words, taken, settled with an answer; whose word it is is said", async () => {
  const { asked } = open("#/people/reports");
  expect(await screen.findByRole("heading", { name: "About leo" })).toBeTruthy();
  expect(screen.getByText("What marta says they saw. The box cannot check it:")).toBeTruthy();
  expect(screen.getByText(/the reporter's word; the box does not know/)).toBeTruthy();
  expect(screen.getByText("petra looks at it")).toBeTruthy();
  const people = screen.getByRole("navigation", { name: "Places" });
  expect(await within(people).findByRole("link", { name: /People.*3 wait/ })).toBeTruthy();
  await press("I look at it");
  expect(await screen.findByText("You look at it")).toBeTruthy();
  await press("Settle…");
  await fireEvent.click(screen.getByRole("checkbox", { name: "banned from writing" }));
  await fireEvent.input(screen.getByLabelText(/^Answer to the reporter/), {
    target: { value: "Thank you." },
  });
  await press("Settle");
  expect(await screen.findByText("Settled. The reporter is told.")).toBeTruthy();
  expect(asked).toContain("POST /v1/reports/r1/close");
  await fireEvent.click(screen.getByRole("tab", { name: "Settled" }));
  expect(await screen.findByText("settled by ada · banned from writing")).toBeTruthy();
  expect(screen.getByText("Answer: Thank you.")).toBeTruthy();
});

test("a moderator does not take from another what he looks at, and sees no audit log", async () => {
  open("#/people/reports", "role=moderator");
  expect(await screen.findByText("petra looks at it")).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Take over" })).toBeNull();
  expect(screen.queryByRole("link", { name: /Audit log/ })).toBeNull();
});

test("a member reports a person of this box to it and sees what came of it; of others nothing leaves", async () => {
  const { asked } = open("#/people", "member");
  const here = messenger.conversations.find((one) => one.address.endsWith(`@${account.onion}`));
  const away = messenger.conversations.find((one) => !one.address.endsWith(`@${account.onion}`))!;
  expect(screen.queryByRole("link", { name: /^Reports/ })).toBeNull();
  location.hash = `#/people/${away.id}`;
  await press("Report");
  expect(await screen.findByText(/Nothing leaves your account/)).toBeTruthy();
  await press("Cancel");
  location.hash = `#/people/${here!.id}`;
  await waitFor(() => expect(route.open).toBe(here!.id));
  await press("Report");
  expect(await screen.findByText(/has an account on this box/)).toBeTruthy();
  await fireEvent.click(screen.getByRole("radio", { name: "Threat" }));
  await press("Report and block");
  expect(await screen.findByText(/You find it under/)).toBeTruthy();
  expect(here!.state).toBe("blocked");
  expect(asked.filter((one) => one === "POST /v1/reports")).toHaveLength(1);
  location.hash = "#/people/my-reports";
  expect(await screen.findByText("waits")).toBeTruthy();
});

test("the audit log speaks, goes back page by page, and tells an unknown act by its name", async () => {
  open("#/people/audit");
  expect(
    await screen.findByText(/suspended old.friend until .*: “The same advert in three boards”/),
  ).toBeTruthy();
  expect(screen.getByText("command line")).toBeTruthy();
  expect(screen.getByText(/made petra moderator \(was member\)/)).toBeTruthy();
  expect(screen.getByText(/changed what leo may do \(upload: No\)/)).toBeTruthy();
  expect(screen.getByText(/settled a report about leo: removed, warned/)).toBeTruthy();
  expect(screen.getByText(/made an invite for 5 as member for “Rowing club”/)).toBeTruthy();
  expect(screen.getByText(/second pair of eyes: Delete the account of old.friend/)).toBeTruthy();
  expect(screen.getByText(/box.fly the moon/)).toBeTruthy();
  expect(screen.queryByText(/made the box their own/)).toBeNull();
  await press("Show older");
  expect(await screen.findByText(/made the box their own/)).toBeTruthy();
});

test("what waits is agreed to by somebody else", async () => {
  const { asked } = open("#/people/audit");
  await press("Agree: Delete the account of old.friend");
  await press("Agree");
  expect(await screen.findByText("Done.")).toBeTruthy();
  expect(asked).toContain("POST /v1/approvals/p1");
  await waitFor(() => expect(screen.queryByText("Waits for a second administrator")).toBeNull());
});

test("every act of the box has its sentence in every language, with the same details", async () => {
  const source = readFileSync(join(WEB, "../appliance/commands/audit_words.py"), "utf8");
  const rows = [...source.matchAll(/^ {4}"([\w.]+)": "(.*)",$/gm)];
  expect(rows.length).toBeGreaterThan(40);
  const needs = (form: string): string[] => [...form.matchAll(/\{\w+\}/g)].map(String).toSorted();
  for (const { load } of Object.values(LANGUAGES)) {
    const { sentences } = (await load()).audit;
    expect(Object.keys(sentences).toSorted()).toEqual(rows.map(([, action]) => action!).toSorted());
    for (const [, action, form] of rows) {
      // Here an act asked for is told together with its target.
      const wanted = action!.startsWith("ask.") ? form!.replace(" {target}", "") : form!;
      expect([action, needs(sentences[action!]!)]).toEqual([action, needs(wanted)]);
    }
  }
});

test("the box takes another name, welcome and accent, seen at once by day and by night, and at the door", async () => {
  const { box } = open("#/people/look");
  await fireEvent.input(await screen.findByLabelText(/^Name of the box/), { target: { value: "" } });
  await press("Save");
  expect(await screen.findByText("The box needs a name.")).toBeTruthy();
  await fireEvent.input(screen.getByLabelText(/^Name of the box/), { target: { value: "Boathouse" } });
  await fireEvent.input(screen.getByLabelText(/^Welcome/), {
    target: { value: "Come in.\nWipe your feet." },
  });
  await fireEvent.input(screen.getByLabelText(/^House rules/), { target: { value: "No shouting." } });
  await fireEvent.click(screen.getByRole("radio", { name: "Plum" }));
  const night = screen.getByRole("img", { name: "By night" });
  expect(night.dataset["accent"]).toBe("plum");
  expect(night.textContent).toContain("Wipe your feet.");
  expect(document.documentElement.dataset["accent"]).toBe("sea");
  await press("Save");
  expect(await screen.findByText("Saved. Everybody sees it now.")).toBeTruthy();
  expect(document.documentElement.dataset["accent"]).toBe("plum");
  expect(box.branding).toMatchObject({ box_name: "Boathouse", accent: "plum", boards: true });
  location.hash = "#/people/rules";
  expect(await screen.findByText("What holds on Boathouse.")).toBeTruthy();
  account.standing = "out";
  expect(await screen.findByText("Boathouse")).toBeTruthy();
  expect(screen.getByText(/Wipe your feet/)).toBeTruthy();
  expect(screen.getByText("No shouting.")).toBeTruthy();
});

test("the owner lets the box forget now, and sees how fast it answers", async () => {
  const { asked } = open("#/health");
  expect(await screen.findByText(/has not done so since/)).toBeTruthy();
  expect(
    await screen.findByText(/half within 0.4.?ms, 95 of 100 within 12.?ms, 99 within 1.5.?s/),
  ).toBeTruthy();
  expect(screen.getByText("1,200 requests, 0 refused, 0 failed")).toBeTruthy();
  await press("Forget now");
  expect(
    await screen.findByText("7 times were made coarser. 12 free pages and 30 gaps were overwritten."),
  ).toBeTruthy();
  expect(asked).toContain("POST /v1/minimise");
});
