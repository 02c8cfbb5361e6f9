/** One browser's line to the fake box: its cookie, its event socket, and every way in which lines fail. */
import { decode, encode } from "../../../src/protocol/cbor.ts";
import type { Dispatch } from "../../../src/protocol/post.ts";
import { WORDS } from "../../../src/state/line.ts";
import type { Transport } from "../../../src/state/wire.ts";
import { Refused, type FakeBox, type Session } from "./box.ts";

/** What is asked on the socket, by its word there. */
export const PATHS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(WORDS).map(([path, word]) => [word, path]),
);

interface Answer {
  status: number;
  answer: object;
}

export class FakeSocket {
  binaryType = "";
  onmessage: ((message: { data: ArrayBuffer }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  onerror: (() => void) | null = null;
  open = true;

  readonly OPEN = 1;

  constructor(
    readonly session: Session,
    /** Asks the box; rejects where the request or its answer is lost. */
    readonly ask: (path: string, body: object) => Promise<Answer>,
  ) {}

  get readyState(): number {
    return this.open ? this.OPEN : 3;
  }

  /** What the box says. */
  tell(message: object): void {
    const data = encode(message).buffer;
    setTimeout(() => this.open && this.onmessage?.({ data }));
  }

  /** What the browser says: a request by its word. */
  send(frame: Uint8Array): void {
    const [word, body, number] = decode(frame.slice()) as unknown as [string, object, number];
    const path = PATHS[word]!;
    const answer = ({ status, answer }: Answer): void =>
      this.tell([status === 200 ? "done" : "refused", answer, number]);
    void this.ask(path, body).then(answer, () => this.close(1006));
  }

  close(code = 1000): void {
    if (!this.open) return;
    this.open = false;
    setTimeout(() => this.onclose?.({ code }));
  }
}

export class Line implements Transport {
  /** The sign-in this browser's cookie stands for. */
  session: Session | undefined;
  /** Access cookies that ended are renewed by the refresh cookie. */
  stale = false;
  /** Nothing gets through. */
  down = false;
  /** Requests whose answer is lost after they were done. */
  lose: (request: string) => boolean = () => false;
  /** Requests that never reach the box. */
  drop: (request: string) => boolean = () => false;
  /** Requests that the box refuses, with this code. */
  refuse: (request: string) => string | undefined = () => undefined;
  /** Dispatches that the box refuses, with this code, when they leave with a change of the vault. */
  turnAway: () => string | undefined = () => undefined;
  /** What left this browser and was taken, either way. */
  readonly dispatched: Dispatch[] = [];
  readonly asked: string[] = [];
  readonly bodies: unknown[] = [];

  constructor(readonly box: FakeBox) {}

  fetch = async (path: string, init: RequestInit): Promise<Response> => {
    const body = init.body ? decode(new Uint8Array(init.body as ArrayBuffer)) : {};
    const stale = this.stale && this.session && path !== "/v1/session/refresh";
    const { status, answer } = await this.#ask(init.method!, path, body as object, stale && "session_ended");
    const octets = encode(answer);
    return { status, arrayBuffer: () => Promise.resolve(octets.slice().buffer) } as Response;
  };

  socket = (): WebSocket => {
    const socket = new FakeSocket(this.session!, (path, body) => this.#ask("POST", path, body));
    if (this.down) setTimeout(() => socket.close(1006));
    else this.box.listen(socket);
    return socket as unknown as WebSocket;
  };

  async #ask(method: string, path: string, body: object, ended?: string | false): Promise<Answer> {
    const request = `${method} ${path.split("?")[0]}`;
    this.asked.push(request);
    await Promise.resolve();
    if (this.down || this.drop(request)) throw new TypeError("network");
    this.bodies.push(body);
    let status = 200;
    let answer: unknown;
    try {
      if (ended) throw new Refused(ended, 401);
      const code = this.refuse(request);
      if (code) throw new Refused(code, 507);
      answer = await this.box.answer(this, request, path, body as never);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      status = error.status;
      answer = { error: { code: error.code, message: error.code, details: error.details } };
    }
    if (this.down || this.lose(request)) throw new TypeError("network");
    return { status, answer: (answer ?? {}) as object };
  }

  /** The box takes changes of the vault, and no dispatches, either way. */
  holdUp(): void {
    this.turnAway = () => "too_many";
    this.drop = (request) => request === "POST /v1/dispatch";
  }

  /** The line is cut: requests fail and the socket falls. */
  cut(): void {
    this.down = true;
    this.box.hangUp(this.session);
  }
}
