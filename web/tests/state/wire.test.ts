import { expect, test, vi } from "vitest";
import { decode, encode } from "../../src/protocol/cbor.ts";
import { asRefusal, isOffline, Wire, type Transport } from "../../src/state/wire.ts";

type Answer = { status: number; body: Uint8Array };
const good = (value: object): Answer => ({ status: 200, body: encode(value) });
const refused = (status: number, code: string): Answer => ({
  status,
  body: encode({ error: { code, message: code, details: { seconds: 3 } } }),
});

function transport(answer: (request: string, body: unknown) => Answer): Transport & { asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    fetch: async (path, init) => {
      const request = `${init.method} ${path}`;
      asked.push(request);
      await Promise.resolve();
      const { status, body } = answer(request, init.body && decode(new Uint8Array(init.body as never)));
      return { status, arrayBuffer: () => Promise.resolve(body.slice().buffer) } as Response;
    },
  };
}

test("a value goes there and back", async () => {
  const wire = new Wire(transport((_, body) => good({ got: body as object })));
  expect(await wire.post("/v1/x", { bytes: Uint8Array.of(1, 2) })).toEqual({
    got: { bytes: Uint8Array.of(1, 2) },
  });
});

test("a refusal carries code, status and details", async () => {
  const wire = new Wire(transport(() => refused(409, "vault_conflict")));
  await expect(wire.get("/v1/x")).rejects.toMatchObject({
    code: "vault_conflict",
    status: 409,
    details: { seconds: 3 },
  });
});

test("a stale sign-in is renewed once for all requests that wait for it", async () => {
  let stale = true;
  const line = transport((request) => {
    if (request === "POST /v1/session/refresh") stale = false;
    return stale ? refused(401, "session_ended") : good({});
  });
  const wire = new Wire(line);
  await Promise.all([wire.get("/a"), wire.get("/b"), wire.get("/c")]);
  expect(line.asked.filter((request) => request.endsWith("refresh"))).toHaveLength(1);
  expect(line.asked.slice(-3)).toEqual(["GET /a", "GET /b", "GET /c"]);
});

test("a sign-in that cannot be renewed is told, and no request goes round in circles", async () => {
  const line = transport(() => refused(401, "session_ended"));
  const wire = new Wire(line);
  wire.ended = vi.fn();
  await expect(wire.get("/a")).rejects.toMatchObject({ code: "session_ended" });
  expect(wire.ended).toHaveBeenCalledOnce();
  expect(line.asked).toEqual(["GET /a", "POST /v1/session/refresh"]);
});

test("a second factor is no stale sign-in", async () => {
  const line = transport(() => refused(401, "second_factor"));
  await expect(new Wire(line).post("/v1/session")).rejects.toMatchObject({ code: "second_factor" });
  expect(line.asked).toHaveLength(1);
});

test("no answer, and answers that are not the box's, count as offline", async () => {
  const wire = new Wire({ fetch: () => Promise.reject(new TypeError("network")) });
  await wire.get("/a").catch((error: unknown) => expect(isOffline(error)).toBe(true));
  const page = new Wire(transport(() => ({ status: 502, body: new TextEncoder().encode("<html>") })));
  await expect(page.get("/a")).rejects.toMatchObject({ code: "offline", status: 502 });
  expect.assertions(2);
});

test("a request that is not answered in time is given up", async () => {
  vi.useFakeTimers();
  const hung: Transport = {
    fetch: (_path, init) =>
      new Promise((_, failed) => init.signal!.addEventListener("abort", () => failed(new Error("aborted")))),
  };
  const asking = new Wire(hung).get("/a", { deadline: 60_000 });
  const outcome = expect(asking).rejects.toMatchObject({ code: "offline" });
  await vi.advanceTimersByTimeAsync(60_001);
  await outcome;
  vi.useRealTimers();
});

test("errors of the protocol become refusals for the pages", () => {
  expect(asRefusal(Object.assign(new Error("x"), { code: "too_large" }))).toMatchObject({
    code: "too_large",
  });
  expect(asRefusal(new TypeError("bug"))).toMatchObject({ code: "fault" });
});
