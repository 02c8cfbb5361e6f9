import { expect, test, vi } from "vitest";
import { aborted, ask, askText, listen, Refusal, sentence } from "../../src/state/api.ts";
import { wire } from "../box.ts";

const heard: string[] = [];
listen((refusal) => heard.push(refusal.code), "Nobody answers.");

test("an answer is decoded", async () => {
  wire();
  expect(await ask("GET", "/v1/contacts")).toHaveProperty("contacts");
});

test("a refusal carries the box's own sentence, code and details", async () => {
  wire();
  await ask("POST", "/v1/outbox", { body: { contact: "nobody" } }).catch((error: unknown) => {
    expect(error).toBeInstanceOf(Refusal);
    expect(error).toMatchObject({ code: "no_contact", status: 404 });
    expect(sentence(error)).toBe("There is no such contact.");
  });
  expect.assertions(3);
});

test("no answer is told in words, and whoever listens hears of it", async () => {
  const wired = wire();
  wired.away = true;
  await expect(ask("GET", "/v1/contacts")).rejects.toMatchObject({
    code: "offline",
    message: "Nobody answers.",
  });
  expect(heard.at(-1)).toBe("offline");
});

test("an answer that is not the box's is taken for none", async () => {
  vi.stubGlobal("fetch", () => Promise.resolve(new Response("<html>", { status: 502 })));
  await expect(ask("GET", "/v1/contacts")).rejects.toMatchObject({ code: "offline", status: 502 });
  vi.stubGlobal("fetch", () => Promise.resolve(new Response("<html>", { status: 200 })));
  await expect(ask("GET", "/v1/contacts")).rejects.toBeInstanceOf(Refusal);
});

test("a request that was taken back is no refusal", async () => {
  wire();
  const stop = new AbortController();
  const waiting = ask("GET", "/v1/state?after=99", { signal: stop.signal });
  stop.abort();
  await waiting.catch((error: unknown) => expect(aborted(error)).toBe(true));
  expect.assertions(1);
});

test("text content comes as text", async () => {
  wire();
  expect(await askText("/v1/inbox/in-1/content")).toBe("The content of in-1.\n");
});
