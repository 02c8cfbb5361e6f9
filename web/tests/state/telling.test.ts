import { afterEach, expect, test } from "vitest";
import { toHex } from "../../src/protocol/bytes.ts";
import { type SessionRecord, type Tell } from "../../src/state/messenger/records.ts";
import { acknowledged, find, forgotten, isDue, told } from "../../src/state/messenger/telling.ts";
import { FakeBox } from "./fake/box.ts";
import { closeAll, join, recordOf, until } from "./fake/people.ts";

afterEach(closeAll);

const NOW = 1_800_000_000;
const of = (...octets: number[]): Uint8Array => Uint8Array.from(octets);
const ROUTES = { what: "routes", digest: of(7), ids: [of(1), of(2)], dispatches: [of(10)], at: NOW } as const;
const HELLO = { what: "hello", digest: of(), ids: [of(3)], dispatches: [of(11)], at: NOW } as const;
const fresh = { told: of() } as SessionRecord;
const tell = (one: object): Omit<Tell, "tries"> => one as Tell;
const no = (): boolean => false;

test("it is told after pauses that grow, and so many times at most", () => {
  let record = fresh;
  const times: number[] = [];
  for (let now = NOW; now < NOW + 20 * 86_400; now += 300) {
    const before = find(record, "routes");
    if (before && !isDue(before, now, no)) continue;
    record = told(record, tell({ ...ROUTES, at: now }));
    times.push(now);
  }
  const pauses = times.slice(1).map((at, index) => at - times[index]!);
  expect(times).toHaveLength(8);
  expect(pauses).toEqual([...pauses].sort((a, b) => a - b));
  expect(pauses[0]).toBe(600);
  // What is new is told as often again.
  expect(find(told(record, tell({ ...ROUTES, digest: of(8) })), "routes")!.tries).toBe(1);
});

test("what is under way is not told again, and a clock set back is no reason to be silent", () => {
  const once = { ...ROUTES, tries: 1 } as unknown as Tell;
  expect(isDue(once, NOW + 600, no)).toBe(true);
  expect(isDue(once, NOW + 600, (id) => id === "0a")).toBe(false);
  expect(isDue(once, NOW + 599, no)).toBe(false);
  expect(isDue(once, NOW - 1, no)).toBe(true);
});

test("it is known once all of it is acknowledged, and unknown to a device that forgot", () => {
  let record = told(told(fresh, tell(ROUTES)), tell(HELLO));
  record = acknowledged(record, new Set(["01", "03", "09"]));
  expect([record.told.length, record.tells!.map((one) => one.ids.map(toHex))]).toEqual([0, [["02"]]]);
  record = acknowledged(record, new Set(["02"]));
  expect([[...record.told], record.tells]).toEqual([[7], []]);
  record = forgotten(told(record, tell(HELLO)));
  expect([record.told.length, record.tells!.map((one) => [one.what, one.tries])]).toEqual([
    0,
    [["hello", 0]],
  ]);
});

test("an acceptance the box refused is told again until it is known", async () => {
  const box = new FakeBox();
  const ada = await join(box, "ada");
  const ben = await join(box, "ben");
  await (await ada.messenger.start(ben.address)).send("may I?");
  await until(() => ben.messenger.requests.length === 1);
  ben.line.turnAway = () => "outbox_full";
  await ben.messenger.requests[0]!.accept();
  const { core } = ben.messenger;
  await until(() => recordOf(ben).tells?.length === 2);
  await core!.routes.settle();
  ben.line.turnAway = () => undefined;
  await core!.routes.settle();
  const hears = (): boolean => ada.chat(ben)!.messages.some((one) => one.notice === "accepted");
  expect(hears()).toBe(false);
  box.ahead = 601;
  await core!.routes.settle();
  await until(hears);
  await until(() => recordOf(ben).tells!.length === 0 && recordOf(ben).told.length > 0);
  await until(() => recordOf(ada).tells!.length === 0 && recordOf(ada).told.length > 0);
  // What is known is not told again.
  const before = ben.line.dispatched.length;
  box.ahead = 40 * 86_400;
  await core!.routes.settle();
  expect(ben.line.dispatched).toHaveLength(before);
});
