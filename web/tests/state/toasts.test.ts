import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { flushRemovals, leaving, removeLater, toasts } from "../../src/state/toasts.svelte.ts";

const WORDS = { text: "Deleted.", undo: "Undo" };

beforeEach(() => vi.useFakeTimers());

afterEach(async () => {
  for (const toast of toasts.list) toasts.close(toast.id);
  await vi.runAllTimersAsync();
  vi.useRealTimers();
});

test("a message goes by itself, but not while one points at it", async () => {
  const id = toasts.show("Saved.");
  await vi.advanceTimersByTimeAsync(5_000);
  toasts.hold(id);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(toasts.list).toHaveLength(1);
  toasts.resume(id);
  await vi.advanceTimersByTimeAsync(7_000);
  expect(toasts.list).toHaveLength(0);
});

test("a message waits for whoever looks at another tab, a deletion does not", async () => {
  let hidden = true;
  vi.spyOn(document, "hidden", "get").mockImplementation(() => hidden);
  const commit = vi.fn(() => Promise.resolve());
  toasts.show("Saved.");
  removeLater("a", WORDS, commit);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(toasts.list.map((toast) => toast.text)).toEqual(["Saved."]);
  expect(commit).toHaveBeenCalledOnce();
  hidden = false;
  document.dispatchEvent(new Event("visibilitychange"));
  await vi.advanceTimersByTimeAsync(5_000);
  hidden = true;
  document.dispatchEvent(new Event("visibilitychange"));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(toasts.list).toHaveLength(1);
  hidden = false;
  document.dispatchEvent(new Event("visibilitychange"));
  await vi.advanceTimersByTimeAsync(7_000);
  expect(toasts.list).toHaveLength(0);
  vi.restoreAllMocks();
});

test("at most three messages stand there", () => {
  for (const text of ["1", "2", "3", "4"]) toasts.show(text);
  expect(toasts.list.map((toast) => toast.text)).toEqual(["2", "3", "4"]);
});

test("a deletion waits for its undo to pass", async () => {
  const commit = vi.fn(() => Promise.resolve());
  removeLater("a", WORDS, commit);
  expect(leaving.has("a")).toBe(true);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(commit).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(commit).toHaveBeenCalledExactlyOnceWith(false);
  expect(leaving.has("a")).toBe(false);
});

test("undo brings it back and nothing is deleted", async () => {
  const commit = vi.fn(() => Promise.resolve());
  removeLater("a", WORDS, commit);
  toasts.act(toasts.list[0]!);
  expect(leaving.has("a")).toBe(false);
  await vi.advanceTimersByTimeAsync(60_000);
  flushRemovals();
  expect(commit).not.toHaveBeenCalled();
});

test("a deletion that fails comes back with its reason", async () => {
  removeLater("a", WORDS, () => Promise.reject(new Error("no")));
  await vi.advanceTimersByTimeAsync(9_000);
  expect(leaving.has("a")).toBe(false);
  expect(toasts.list.at(-1)?.tone).toBe("bad");
});

test("a page that goes away deletes at once, and once", async () => {
  const commit = vi.fn(() => Promise.resolve());
  removeLater("a", WORDS, commit);
  flushRemovals();
  expect(commit).toHaveBeenCalledExactlyOnceWith(true);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(commit).toHaveBeenCalledTimes(1);
});

test("a deletion whose message is pushed away by others still happens", async () => {
  const commit = vi.fn(() => Promise.resolve());
  removeLater("a", WORDS, commit);
  for (const text of ["1", "2", "3"]) toasts.show(text);
  await vi.advanceTimersByTimeAsync(0);
  expect(commit).toHaveBeenCalledTimes(1);
});
