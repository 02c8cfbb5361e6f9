/**
 * The way of the account and the messages to the box: CBOR over the page's own origin. A sign-in that went
 * stale is renewed once, by one tab, and the request repeated. Deadlines fit Tor: a request may take a minute.
 */
import * as cbor from "../protocol/cbor.ts";
import { Refusal } from "./api.ts";
import { Lost, type Line } from "./line.ts";

const CBOR = "application/cbor";
/** Milliseconds until a request counts as unanswered. */
export const DEADLINE = 60_000;
const RENEWED = "island.renewed";
const STALE = new Set(["session_ended", "sign_in"]);

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** What carries requests; tests put a box in memory here. */
export interface Transport {
  fetch(path: string, init: RequestInit): Promise<Response>;
  /** Opens the event stream; left out where there is none. */
  socket?: (path: string) => WebSocket;
  /** Run alone among all tabs of this browser. */
  alone?: <T>(name: string, run: () => Promise<T>) => Promise<T>;
}

export interface CallOptions {
  signal?: AbortSignal;
  deadline?: number;
  /** Never renew the sign-in for this request. */
  anonymous?: boolean;
  /** The page is closing: let the request outlive it. */
  keepalive?: boolean;
}

/** The transport of a page. */
export const page: Transport = {
  fetch: (path, init) => fetch(path, init),
  socket: (path) => new WebSocket(path.replace(/^/, location.origin.replace(/^http/, "ws"))),
  alone: (name, run) =>
    typeof navigator !== "undefined" && navigator.locks ? navigator.locks.request(name, run) : run(),
};

/** Whether an error only says that the box could not be reached or answered nonsense. */
export function isOffline(error: unknown): boolean {
  return error instanceof Refusal && (error.code === "offline" || error.code === "busy");
}

/** Any thrown thing as a `Refusal` with its code, for the pages. */
export function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const other = error as { code?: unknown; message?: unknown; details?: Record<string, unknown> } | undefined;
  const code = typeof other?.code === "string" ? other.code : "fault";
  return new Refusal(code, typeof other?.message === "string" ? other.message : "", 0, other?.details ?? {});
}

export class Wire {
  /** Called when the sign-in is over and could not be renewed. */
  ended: () => void = () => {};
  /** Called when the box has answered anything. */
  answered: () => void = () => {};
  /** Where small things go while it is open. */
  line: Line | undefined;
  #renewing: Promise<boolean> | undefined;

  constructor(readonly transport: Transport = page) {}

  get<T>(path: string, options?: CallOptions): Promise<T> {
    return this.call<T>("GET", path, undefined, options);
  }

  async post<T>(path: string, body?: object, options?: CallOptions): Promise<T> {
    const asked = body && !options?.keepalive && !options?.signal && this.line?.ask(path, body);
    if (asked)
      try {
        const answer = await asked;
        this.answered();
        return answer as T;
      } catch (error) {
        if (!(error instanceof Lost)) throw error;
      }
    return this.call<T>("POST", path, body, options);
  }

  remove<T>(path: string, options?: CallOptions): Promise<T> {
    return this.call<T>("DELETE", path, undefined, options);
  }

  /** Ask the box; rejects with a `Refusal`, code "offline" when it did not answer. */
  async call<T>(method: Method, path: string, body?: object, options: CallOptions = {}): Promise<T> {
    const began = Date.now();
    try {
      return await this.#once<T>(method, path, body, options);
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== 401 || !STALE.has(error.code)) throw error;
      if (options.anonymous) throw error;
      if (!(await this.#renew(began))) {
        this.ended();
        throw error;
      }
      return this.#once<T>(method, path, body, options);
    }
  }

  /** Renew the sign-in now; false when it is over for good. Rejects when the box cannot be reached. */
  #renew(began: number): Promise<boolean> {
    this.#renewing ??= this.#renewAlone(began).finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  async #renewAlone(began: number): Promise<boolean> {
    const alone = this.transport.alone ?? ((_name, run) => run());
    return alone("island.renew", async () => {
      // Using a refresh token twice ends every sign-in of its family: look whether another tab was first.
      if (renewedAt() > began) return true;
      try {
        await this.#once("POST", "/v1/session/refresh", undefined, { anonymous: true });
        noteRenewed();
        return true;
      } catch (error) {
        if (error instanceof Refusal && (error.status === 401 || error.status === 403)) return false;
        throw error;
      }
    });
  }

  async #once<T>(method: Method, path: string, body: object | undefined, options: CallOptions): Promise<T> {
    const response = await this.#send(method, path, body, options);
    const octets = await response.bytes();
    this.answered();
    const answer = readAnswer(octets);
    if (response.status >= 200 && response.status < 300 && answer !== undefined) return answer as T;
    throw refusalOf(response.status, answer);
  }

  async #send(
    method: Method,
    path: string,
    body: object | undefined,
    options: CallOptions,
  ): Promise<{ status: number; bytes(): Promise<Uint8Array> }> {
    const abort = new AbortController();
    const giveUp = (): void => abort.abort();
    const timer = setTimeout(giveUp, options.deadline ?? DEADLINE);
    options.signal?.addEventListener("abort", giveUp, { once: true });
    if (options.signal?.aborted) abort.abort();
    const done = (): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", giveUp);
    };
    const failed = (cause: unknown): never => {
      done();
      if (options.signal?.aborted) throw cause;
      throw new Refusal("offline", "", 0);
    };
    const response = await this.transport
      .fetch(path, {
        method,
        headers: body === undefined ? { accept: CBOR } : { accept: CBOR, "content-type": CBOR },
        body: body === undefined ? null : (cbor.encode(body as never) as BufferSource),
        credentials: "same-origin",
        cache: "no-store",
        redirect: "error",
        signal: abort.signal,
        keepalive: options.keepalive ?? false,
      })
      .catch(failed);
    return {
      status: response.status,
      bytes: async () => {
        const buffer = await response.arrayBuffer().catch(failed);
        done();
        return new Uint8Array(buffer);
      },
    };
  }
}

function readAnswer(octets: Uint8Array): unknown {
  if (octets.length === 0) return {};
  try {
    return cbor.decode(octets);
  } catch {
    return undefined;
  }
}

function refusalOf(status: number, answer: unknown): Refusal {
  const error = (answer as { error?: { code?: string; message?: string; details?: object } } | undefined)
    ?.error;
  if (!error?.code) return new Refusal("offline", "", status);
  return new Refusal(error.code, error.message ?? "", status, { ...error.details });
}

function renewedAt(): number {
  try {
    return Number(localStorage.getItem(RENEWED)) || 0;
  } catch {
    return 0;
  }
}

function noteRenewed(): void {
  try {
    localStorage.setItem(RENEWED, String(Date.now()));
  } catch {
    // Without storage tabs cannot tell each other; the lock still keeps them one after the other.
  }
}
