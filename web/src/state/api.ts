/** The way to the box: JSON over the page's own origin, every refusal as one error a person can read. */

/** What the box refused, with its own sentence; `code` "offline" when it did not answer at all. */
export class Refusal extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly status: number,
    readonly details: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
  }
}

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface Options {
  body?: unknown;
  raw?: Blob;
  signal?: AbortSignal;
  keepalive?: boolean;
}

let heard: (refusal: Refusal) => void = () => {};
let offlineMessage = "";
let known: Readonly<Record<string, string>> = {};
let inDetail: (code: string, details: Refusal["details"]) => string | undefined = () => undefined;

let renew: () => Promise<unknown> = () => Promise.reject(new Error("no sign-in"));

/** How to renew a sign-in that went stale; the request is then repeated once. */
export function renewBy(way: () => Promise<unknown>): void {
  renew = way;
}

/** Say refusals in the language of the page: sentences by code, in place of the box's own; some from their details. */
export function translate(words: Readonly<Record<string, string>>, detailed = inDetail): void {
  known = words;
  inDetail = detailed;
}

/** Be told of every refusal (a session that ended, a box that went away); `offline` is the sentence for no answer. */
export function listen(listener: (refusal: Refusal) => void, offline: string): void {
  heard = listener;
  offlineMessage = offline;
}

/** Ask the box; resolves with the decoded answer, rejects with a `Refusal`. */
export async function ask<T>(method: Method, path: string, options: Options = {}): Promise<T> {
  try {
    return await once<T>(method, path, options);
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== "session_ended") throw error;
    await renew();
    return once<T>(method, path, options);
  }
}

async function once<T>(method: Method, path: string, options: Options): Promise<T> {
  const response = await send(method, path, options);
  const text = await response.text();
  const answer: unknown = text === "" ? {} : parse(text);
  if (response.ok && answer !== undefined) return answer as T;
  throw refused(response.status, answer);
}

function refused(status: number, answer: unknown): Refusal {
  const refusal = read(status, answer);
  heard(refusal);
  return refusal;
}

async function send(method: Method, path: string, options: Options): Promise<Response> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (options.raw) headers["content-type"] = "application/octet-stream";
  else if (options.body !== undefined) headers["content-type"] = "application/json";
  try {
    return await fetch(path, {
      method,
      headers,
      body: options.raw ?? (options.body === undefined ? null : JSON.stringify(options.body)),
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      signal: options.signal ?? null,
      keepalive: options.keepalive ?? false,
    });
  } catch (cause) {
    if (options.signal?.aborted) throw cause;
    const refusal = new Refusal("offline", offlineMessage, 0);
    heard(refusal);
    throw refusal;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function read(status: number, answer: unknown): Refusal {
  const error = (answer as { error?: { code?: string; message?: string; details?: object } } | undefined)
    ?.error;
  if (!error?.message) return new Refusal("offline", offlineMessage, status);
  return new Refusal(error.code ?? "", error.message, status, { ...error.details });
}

/** The sentence of whatever was thrown. */
export function sentence(error: unknown): string {
  if (!(error instanceof Refusal)) return offlineMessage;
  return inDetail(error.code, error.details) ?? known[error.code] ?? (error.message || offlineMessage);
}

/** Whether an error only says that its request was taken back. */
export function aborted(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}
