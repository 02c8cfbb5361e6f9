/** A real box as a child process, and lines to it over HTTP: the same engines, nothing in between that is fake. */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { decode } from "../../src/protocol/cbor.ts";
import type { Transport } from "../../src/state/wire.ts";
import { PATHS } from "../state/fake/line.ts";

// By its path: the tests resolve packages as a browser does, and there this one has nothing.
const require = createRequire(import.meta.url);
const NodeSocket = require(
  require.resolve("ws/package.json").replace("package.json", "lib/websocket.js"),
) as new (url: string, options: object) => WebSocket;

export class RealBox {
  private constructor(
    readonly process: ChildProcess,
    readonly folder: string,
    readonly url: URL,
    readonly token: string,
  ) {}

  static async start(executable: string): Promise<RealBox> {
    const folder = mkdtempSync(join(tmpdir(), "island-"));
    const options = ["run", "--data", folder, "--listen", "127.0.0.1:0", "--tor", "off", "--json"];
    const child = spawn(executable, options, { stdio: ["ignore", "pipe", "ignore"] });
    const said = await new Promise<{ url: string; claim_url: string }>((done, failed) => {
      child.once("exit", () => failed(new Error("the box did not start")));
      child.stdout!.once("data", (data: Buffer) => done(JSON.parse(String(data).split("\n")[0]!) as never));
    });
    const token = new URL(said.claim_url).hash.slice("#claim=".length);
    return new RealBox(child, folder, new URL(said.url), token);
  }

  async stop(): Promise<void> {
    const ended = new Promise((done) => this.process.once("exit", done));
    this.process.kill("SIGTERM");
    await ended;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** What a command of the command line answers. */
export async function island(...words: string[]): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.env["ISLAND"]!, [...words, "--json"]);
  return stdout.trim() === "" ? undefined : JSON.parse(stdout.trim().split("\n").at(-1)!);
}

/** A browser's line: it keeps cookies as browsers do. */
export class RealLine implements Transport {
  readonly cookies = new Map<string, string>();
  readonly asked: string[] = [];
  /** Where the line is cut: before this leaves, or before its answer comes. */
  cut: (path: string) => "request" | "answer" | undefined = () => undefined;

  constructor(readonly box: RealBox) {}

  fetch = async (path: string, init: RequestInit): Promise<Response> => {
    this.asked.push(`${init.method} ${path.split("?")[0]}`);
    const cut = this.cut(path);
    if (cut === "request") throw new Error("the line is cut");
    const answer = await this.#fetch(path, init);
    if (cut === "answer") throw new Error("the line is cut");
    return answer;
  };

  #fetch(path: string, init: RequestInit): Promise<Response> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const headers = { ...(init.headers as Record<string, string>), cookie, origin: this.box.url.origin };
    return new Promise((done, failed) => {
      const asking = request(new URL(path, this.box.url), { method: init.method!, headers }, (answer) => {
        for (const set of answer.headers["set-cookie"] ?? []) {
          const [name, value] = set.split(";")[0]!.split("=") as [string, string];
          if (value === "" || /max-age=0/i.test(set)) this.cookies.delete(name);
          else this.cookies.set(name, value);
        }
        const parts: Buffer[] = [];
        answer.on("data", (part: Buffer) => parts.push(part));
        answer.on("end", () => {
          const octets = new Uint8Array(Buffer.concat(parts));
          done({ status: answer.statusCode!, arrayBuffer: () => Promise.resolve(octets.buffer) } as Response);
        });
        answer.on("error", failed);
      });
      asking.on("error", failed);
      init.signal?.addEventListener("abort", () => asking.destroy(new Error("aborted")));
      asking.end(init.body ? Buffer.from(init.body as Uint8Array) : undefined);
    });
  }

  socket = (path: string): WebSocket => {
    const url = `${this.box.url.origin.replace("http", "ws")}${path}`;
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const socket = new NodeSocket(url, { headers: { cookie, origin: this.box.url.origin } });
    const send = socket.send.bind(socket);
    socket.send = (frame) => {
      const path = PATHS[(decode(frame as Uint8Array) as unknown as [string])[0]]!;
      this.asked.push(`POST ${path}`);
      const cut = this.cut(path);
      if (cut === "request") return socket.close();
      if (cut === "answer") socket.onmessage = (said) => isAnswer(said) && socket.close();
      send(frame);
    };
    return socket;
  };
}

function isAnswer(said: MessageEvent<ArrayBuffer>): boolean {
  return Array.isArray(decode(new Uint8Array(said.data)));
}
