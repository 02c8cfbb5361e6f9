import { expect, test, vi } from "vitest";
import { listen } from "../../src/state/api.ts";
import * as desk from "../../src/state/desk.ts";
import { continues, PIECE, startUpload, Upload, uploads } from "../../src/state/uploads.svelte.ts";
import { wire, type Wired } from "../box.ts";

listen(() => {}, "Nobody answers.");

async function begin(size: number): Promise<{ wired: Wired; id: string; file: File }> {
  const wired = wire();
  const contact = wired.box.data.contacts[0]!.address;
  const file = new File([new Uint8Array(size).fill(7)], "chart.bin");
  const { id } = await desk.compose({ contact, kind: "file", name: file.name, size });
  return { wired, id, file };
}

test.each([0, 1, PIECE, PIECE + 1, 3 * PIECE - 1])("a file of %d octets arrives in pieces", async (size) => {
  const { wired, id, file } = await begin(size);
  expect(await startUpload(id, file)).toBe(true);
  expect(wired.box.uploaded.get(id)).toBe(size);
  expect(wired.asked.filter((one) => one.startsWith("PUT"))).toHaveLength(
    Math.max(1, Math.ceil(size / PIECE)),
  );
  expect(uploads.has(id)).toBe(false);
  expect(localStorage.length).toBe(0);
});

test("it goes on where the box says, not where the browser believes", async () => {
  const { wired, id, file } = await begin(3 * PIECE);
  await desk.upload(id, 0, file.slice(0, PIECE + 100), new AbortController().signal);
  localStorage.setItem(`island.upload.${id}`, "17");
  expect(await new Upload(id, file).run()).toBe(true);
  expect(wired.box.uploaded.get(id)).toBe(3 * PIECE);
});

test("a box that is away is waited for; the reason is said", async () => {
  const { wired, id, file } = await begin(2 * PIECE);
  vi.useFakeTimers();
  wired.away = true;
  const upload = new Upload(id, file);
  const running = upload.run();
  await vi.advanceTimersByTimeAsync(4_000);
  expect(upload.problem).toBe("Nobody answers.");
  expect(upload.running).toBe(true);
  wired.away = false;
  await vi.advanceTimersByTimeAsync(30_000);
  vi.useRealTimers();
  expect(await running).toBe(true);
});

test("a refusal that waiting cannot cure ends it", async () => {
  const { file } = await begin(10);
  const upload = new Upload("no-such-item", file);
  expect(await upload.run()).toBe(false);
  expect([upload.running, upload.problem]).toEqual([false, "There is no such item."]);
});

test("a cancelled upload stops", async () => {
  const { id, file } = await begin(5 * PIECE);
  const upload = new Upload(id, file);
  upload.stop();
  expect(await upload.run()).toBe(false);
});

test("only the same file goes on", async () => {
  const { wired, id, file } = await begin(10);
  const item = wired.box.data.outbox.find((one) => one.id === id) as never;
  expect(continues(item, file)).toBe(true);
  expect(continues(item, new File(["x"], "chart.bin"))).toBe(false);
  expect(continues(item, new File([new Uint8Array(10)], "other.bin"))).toBe(false);
});
