import { afterEach, expect, test, vi } from "vitest";
import { concat, fromHex, toHex, utf8 } from "../../src/protocol/bytes.ts";
import type { DispatchState, Leg } from "../../src/protocol/post.ts";
import { summary } from "../../src/state/messenger/dispatcher.ts";
import { markOf, together } from "../../src/state/messenger/whole.ts";
import { FakeBox } from "./fake/box.ts";
import { Browser, closeAll, friends, until } from "./fake/people.ts";

afterEach(closeAll);

/** Blobs by address, since no browser is there to keep them. */
function keepBlobs(): Map<string, Blob> {
  const blobs = new Map<string, Blob>();
  vi.spyOn(URL, "createObjectURL").mockImplementation((blob) => {
    const url = `blob:${blobs.size}`;
    blobs.set(url, blob as Blob);
    return url;
  });
  vi.spyOn(URL, "revokeObjectURL").mockImplementation(() => undefined);
  return blobs;
}

function bytesOf(size: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: size }, (_, at) => (at * 31 + (at >> 8)) & 255);
}

async function same(blob: Blob, bytes: Uint8Array): Promise<boolean> {
  const there = new Uint8Array(await blob.arrayBuffer());
  return there.length === bytes.length && there.every((byte, at) => byte === bytes[at]);
}

test.each([0, 1, 16_303, 100_000, 700_000])("a file of %i octets arrives whole", async (size) => {
  const blobs = keepBlobs();
  const [ada, ben] = await friends(new FakeBox());
  const bytes = bytesOf(size);
  await ada.chat(ben)!.sendFile(new File([bytes], "tide.png", { type: "image/png" }), "look");
  await until(() => ben.chat(ada)!.messages.at(-1)?.attachment?.name === "tide.png");
  const message = ben.chat(ada)!.messages.at(-1)!;
  expect(message).toMatchObject({ kind: "attachment", text: "look" });
  await until(() => ada.chat(ben)!.messages.at(-1)?.attachment?.state === "ready");
  const url = await message.attachment!.url();
  expect(await same(blobs.get(url)!, bytes)).toBe(true);
  expect(blobs.get(url)!.type).toBe("image/png");
});

test("a file too large for many ids in one message comes with an index, and one's other device reads it too", async () => {
  const blobs = keepBlobs();
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  const bytes = bytesOf(9_000_000);
  await ada.chat(ben)!.sendFile(new File([bytes], "long.bin", { type: "text/html" }));
  await until(() => ada.chat(ben)!.messages.at(-1)?.attachment?.state === "ready", 15_000);
  await until(() => ben.chat(ada)!.messages.at(-1)?.attachment?.name === "long.bin", 15_000);
  const url = await ben.chat(ada)!.messages.at(-1)!.attachment!.url();
  expect(await same(blobs.get(url)!, bytes)).toBe(true);
  expect(blobs.get(url)!.type).toBe("application/octet-stream");
  const link = await ada.account.linkDevice();
  const phone = new Browser(box);
  await phone.account.signInByLink(link.url.slice(link.url.indexOf("#")), "Phone");
  await phone.ready();
  await phone.chat(ben)!.open();
  const again = await phone.chat(ben)!.messages.at(-1)!.attachment!.url();
  expect(await same(blobs.get(again)!, bytes)).toBe(true);
}, 60_000);

test("a voice message carries its length and shape", async () => {
  keepBlobs();
  const [ada, ben] = await friends(new FakeBox());
  await ada.chat(ben)!.sendVoice(new Blob([bytesOf(5000)], { type: "audio/ogg" }), 7.4, bytesOf(64));
  await until(() => ben.chat(ada)!.messages.at(-1)?.attachment?.voice?.seconds === 7);
  expect(ben.chat(ada)!.messages.at(-1)!.attachment!.voice!.peaks).toHaveLength(64);
});

test("a deleted attachment is gone from the box", async () => {
  keepBlobs();
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  await ada.chat(ben)!.sendFile(new File([bytesOf(50_000)], "secret.txt"));
  await until(() => box.accounts.get("ben")!.kept.size > 0 && box.accounts.get("ada")!.kept.size > 0);
  await until(() => ada.chat(ben)!.messages.at(-1)?.attachment?.state === "ready");
  await ada.chat(ben)!.remove(ada.chat(ben)!.messages.at(-1)!.id, true);
  await until(() => box.accounts.get("ben")!.kept.size === 0 && box.accounts.get("ada")!.kept.size === 0);
  expect(ben.chat(ada)!.messages.at(-1)).toMatchObject({ deleted: true, attachment: null });
});

test("a file that is too large is refused before anything leaves", async () => {
  const [ada, ben] = await friends(new FakeBox());
  const huge = { size: 40_000_000, slice: () => new Blob(), name: "huge", type: "" } as unknown as File;
  await expect(ada.chat(ben)!.sendFile(huge)).rejects.toMatchObject({ code: "too_large" });
  expect(ada.chat(ben)!.messages.at(-1)!.kind).toBe("text");
});

test("an attachment is no further than its chunks, also after a restart", async () => {
  keepBlobs();
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  await ada.chat(ben)!.sendFile(new File([bytesOf(50_000)], "plan.txt"));
  await until(() => ada.chat(ben)!.messages.at(-1)?.state === "delivered");
  await until(() => ada.chat(ben)!.messages.at(-1)?.attachment?.state === "ready");
  const state = (): string => ada.chat(ben)!.messages.at(-1)!.state;
  // As if their box was off since the message arrived there.
  const { handle } = ada.messenger.core!.ledger.head.sessions[0]!;
  const id = concat(markOf(fromHex(ada.chat(ben)!.messages.at(-1)!.id)), new Uint8Array(8));
  const tell = (at: Leg["state"]): void => {
    const leg = { handle, state: at, until: null, relays: 0, reason: null };
    ada.messenger.core!.dispatcher.heard({ id, legs: [leg] });
  };
  for (const [at, shown] of [
    ["waiting", "waiting"],
    ["partly", "waiting"],
    ["given_up", "failed"],
    ["relay", "delivered"],
    ["box", "delivered"],
  ] as const) {
    tell(at);
    await until(() => state() === shown);
  }
  const leg = { handle, state: "waiting", until: null, relays: 0, reason: null };
  box.accounts.get("ada")!.dispatches.set(toHex(id), { id, legs: [leg] } as never);
  const again = await ada.reopened();
  await again.chat(ben)!.open();
  await until(() => again.chat(ben)!.messages.at(-1)?.state === "waiting");
});

test("each destination is as far as the last of its envelopes", () => {
  const of = (legs: Record<string, Leg["state"]>): DispatchState => ({
    id: new Uint8Array(16),
    legs: Object.entries(legs).map(([name, state]) => ({
      handle: utf8(name),
      state,
      until: null,
      relays: 0,
      reason: null,
    })),
  });
  const stage = (...states: DispatchState[]): string => summary(together(states)).state;
  expect(stage(of({ a: "box" }), of({ a: "relay" }))).toBe("relay");
  expect(stage(of({ a: "relay" }), of({ a: "partly" }), of({ a: "box" }))).toBe("waiting");
  expect(stage(of({ a: "box", b: "waiting" }), of({ a: "waiting", b: "box" }))).toBe("waiting");
  expect(stage(of({ a: "box", b: "waiting" }), of({ a: "box", b: "waiting" }))).toBe("box");
  expect(stage(of({ a: "box" }), of({ a: "given_up" }))).toBe("failed");
});
