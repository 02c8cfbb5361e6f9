import { expect, test, vi } from "vitest";
import { aborted, ask, listen, Refusal, renewBy, sentence, translate } from "../../src/state/api.ts";
import { wire } from "../box.ts";

const heard: string[] = [];
listen((refusal) => heard.push(refusal.code), "Nobody answers.");

test("an answer is decoded", async () => {
  wire();
  expect(await ask("GET", "/v1/relays")).toHaveProperty("relays");
});

test("a refusal carries the box's own sentence, code and details", async () => {
  wire();
  await ask("GET", "/v1/nothing").catch((error: unknown) => {
    expect(error).toBeInstanceOf(Refusal);
    expect(error).toMatchObject({ code: "not_found", status: 404 });
    expect(sentence(error)).toBe("There is nothing here.");
  });
  expect.assertions(3);
});

test("no answer is told in words, and whoever listens hears of it", async () => {
  const wired = wire();
  wired.away = true;
  await expect(ask("GET", "/v1/relays")).rejects.toMatchObject({
    code: "offline",
    message: "Nobody answers.",
  });
  expect(heard.at(-1)).toBe("offline");
});

test("an answer that is not the box's is taken for none", async () => {
  vi.stubGlobal("fetch", () => Promise.resolve(new Response("<html>", { status: 502 })));
  await expect(ask("GET", "/v1/relays")).rejects.toMatchObject({ code: "offline", status: 502 });
  vi.stubGlobal("fetch", () => Promise.resolve(new Response("<html>", { status: 200 })));
  await expect(ask("GET", "/v1/relays")).rejects.toBeInstanceOf(Refusal);
});

test("a request that was taken back is no refusal", async () => {
  wire();
  const stop = new AbortController();
  const waiting = ask("GET", "/v1/state?after=99", { signal: stop.signal });
  stop.abort();
  await waiting.catch((error: unknown) => expect(aborted(error)).toBe(true));
  expect.assertions(1);
});

test("a refusal is said in the language of the page", () => {
  translate({ not_found: "Hier ist nichts." });
  expect(sentence(new Refusal("not_found", "There is nothing here.", 404))).toBe("Hier ist nichts.");
  expect(sentence(new Refusal("unheard_of", "Something else.", 400))).toBe("Something else.");
  expect(sentence(new Refusal("unheard_of", "", 400))).toBe("Nobody answers.");
  translate({});
});

test("a stale sign-in is renewed once and the request repeated", async () => {
  const ended = new Response(JSON.stringify({ error: { code: "session_ended", message: "Ended." } }), {
    status: 401,
  });
  const answers = [ended, new Response('{"relays":[]}')];
  vi.stubGlobal("fetch", () => Promise.resolve(answers.shift()));
  let renewed = 0;
  renewBy(async () => (renewed += 1));
  expect(await ask("GET", "/v1/relays")).toEqual({ relays: [] });
  expect(renewed).toBe(1);
});
