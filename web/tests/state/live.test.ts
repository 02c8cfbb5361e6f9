import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { listen } from "../../src/state/api.ts";
import { live } from "../../src/state/live.svelte.ts";
import { wire } from "../box.ts";

beforeEach(() => {
  vi.useFakeTimers();
  listen(() => {}, "Nobody answers.");
});

afterEach(async () => {
  live.stop();
  await vi.advanceTimersByTimeAsync(100);
  vi.useRealTimers();
});

test("news arrive as soon as the box has them", async () => {
  const { box, asked } = wire();
  live.start();
  await vi.advanceTimersByTimeAsync(2_000);
  const first = live.state?.revision;
  expect(first).toBe(box.revision);
  const polls = asked.length;
  box.changed();
  await vi.advanceTimersByTimeAsync(10);
  expect(live.state?.revision).toBe(box.revision);
  expect(asked.length).toBeLessThanOrEqual(polls + 2);
});

test("a box that went away is asked again, ever more slowly, and its return is noticed", async () => {
  const wired = wire();
  live.start();
  await vi.advanceTimersByTimeAsync(2_000);
  wired.away = true;
  wired.box.changed();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(live.online).toBe(false);
  const before = wired.asked.length;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(wired.asked.length - before).toBeLessThan(12);
  wired.away = false;
  await vi.advanceTimersByTimeAsync(11_000);
  expect(live.online).toBe(true);
});

test("refresh asks at once, without waiting for news", async () => {
  const { asked } = wire();
  live.start();
  await vi.advanceTimersByTimeAsync(2_000);
  const before = asked.length;
  live.refresh();
  await vi.advanceTimersByTimeAsync(10);
  expect(asked.length).toBeGreaterThan(before);
});
