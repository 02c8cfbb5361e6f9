/** The line: small things go on the open event socket, and by a request where it does not carry them. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { decode, encode } from "../../src/protocol/cbor.ts";
import { Refusal } from "../../src/state/api.ts";
import { Line } from "../../src/state/line.ts";
import { Wire } from "../../src/state/wire.ts";
import { FakeBox } from "./fake/box.ts";
import { closeAll, friends, quiet, until } from "./fake/people.ts";

type Frame = [word: string, body: unknown, number: number];

class Socket {
  readonly OPEN = 1;
  readyState = 1;
  readonly said: Frame[] = [];

  send(frame: Uint8Array): void {
    this.said.push(decode(frame) as unknown as Frame);
  }

  close(): void {
    this.readyState = 2;
  }
}

const fetched: string[] = [];
let socket: Socket;
let line: Line;
let wire: Wire;

beforeEach(() => {
  fetched.length = 0;
  socket = new Socket();
  line = new Line(socket as unknown as WebSocket);
  wire = new Wire({
    fetch: (path) => {
      fetched.push(path);
      return Promise.resolve({
        status: 200,
        arrayBuffer: () => Promise.resolve(encode({ by: "request" }).slice().buffer),
      } as Response);
    },
  });
  wire.line = line;
});
afterEach(() => {
  vi.useRealTimers();
  return closeAll();
});

test("answers find their questions, in whatever order they come", async () => {
  const asked = [wire.post("/v1/vault", { put: [] }), wire.post("/v1/queue/settle", { done: [1], keep: [] })];
  expect(socket.said).toEqual([
    ["change", { put: [] }, 1],
    ["settle", { done: [1], keep: [] }, 2],
  ]);
  line.take(["settled", {}, 2]);
  line.take(["changed", { revision: 7 }, 1]);
  line.take(["changed", { revision: 8 }, 1]); // nobody asked
  expect(await Promise.all(asked)).toEqual([{ revision: 7 }, {}]);
  expect(fetched).toEqual([]);
});

test("a refusal on the line is the refusal of a request", async () => {
  const asked = wire.post("/v1/vault", { put: [] });
  const error = { code: "vault_conflict", message: "It was changed.", details: { ids: [1] } };
  line.take(["refused", { error }, 1]);
  const refusal = await asked.catch((thrown: unknown) => thrown);
  expect(refusal).toBeInstanceOf(Refusal);
  expect(refusal).toMatchObject({
    code: "vault_conflict",
    message: "It was changed.",
    details: { ids: [1] },
  });
  expect(fetched).toEqual([]);
});

test("what the line does not carry goes by a request", async () => {
  await wire.post("/v1/vault/read", { ids: [] });
  await wire.post("/v1/vault", { put: [{ data: new Uint8Array(16 * 1024) }] });
  await wire.post("/v1/vault", { put: [] }, { keepalive: true });
  socket.readyState = 2;
  await wire.post("/v1/vault", { put: [] });
  expect(fetched).toEqual(["/v1/vault/read", "/v1/vault", "/v1/vault", "/v1/vault"]);
  expect(socket.said).toEqual([]);
});

test("what was under way when the socket fell is asked again by a request", async () => {
  const asked = [wire.post("/v1/vault", { put: [] }), wire.post("/v1/dispatch", { id: 1 })];
  line.end();
  expect(await Promise.all(asked)).toEqual([{ by: "request" }, { by: "request" }]);
  expect(fetched).toEqual(["/v1/vault", "/v1/dispatch"]);
});

test("a line that stays silent is given up, and nothing waits for it", async () => {
  vi.useFakeTimers();
  const asked = wire.post("/v1/channels/post", { id: 1 });
  await vi.advanceTimersByTimeAsync(7_900);
  expect([fetched, socket.readyState]).toEqual([[], 1]);
  await vi.advanceTimersByTimeAsync(200);
  expect(await asked).toEqual({ by: "request" });
  expect(socket.readyState).toBe(2);
});

test("messages leave on the line, and by requests while it is down", async () => {
  const [ada, ben] = await friends(new FakeBox());
  await quiet(ada, ben);
  const { fetch } = ada.line;
  const requests: string[] = [];
  ada.line.fetch = (path, init) => {
    requests.push(path);
    return fetch(path, init);
  };
  await ada.chat(ben)!.send("on the line");
  await until(() => ben.texts(ada).includes("on the line"));
  expect(requests).not.toContain("/v1/vault");
  const { socket } = ada.line;
  ada.line.socket = () => {
    const fallen = socket();
    setTimeout(() => fallen.close());
    return fallen;
  };
  ada.box.hangUp(ada.line.session);
  await ada.chat(ben)!.send("by a request");
  await until(() => ben.texts(ada).includes("by a request"));
  expect(requests).toContain("/v1/vault");
});
