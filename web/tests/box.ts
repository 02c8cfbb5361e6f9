/** Puts a fake box behind `fetch`, so that pages and stores are tested without a network. */
import { vi } from "vitest";
import { FakeBox } from "../dev/box.mjs";

export interface Wired {
  readonly box: FakeBox;
  /** Every request so far, as "METHOD path". */
  readonly asked: string[];
  /** While true nobody answers. */
  away: boolean;
}

/** A box for one test; it answers until the next one is wired. */
export function wire(options: ConstructorParameters<typeof FakeBox>[0] = {}): Wired {
  const wired: Wired = { box: new FakeBox(options), asked: [], away: false };
  vi.stubGlobal("fetch", (path: string, init: RequestInit = {}) => answer(wired, path, init));
  return wired;
}

async function answer(wired: Wired, path: string, init: RequestInit): Promise<Response> {
  const url = new URL(path, "http://box");
  const method = init.method ?? "GET";
  wired.asked.push(`${method} ${url.pathname}`);
  if (wired.away) throw new TypeError("no answer");
  const raw = init.body instanceof Blob ? new Uint8Array(await init.body.arrayBuffer()) : new Uint8Array();
  const body: unknown = typeof init.body === "string" ? JSON.parse(init.body) : {};
  const work = wired.box.answer({ method, path: url.pathname, query: url.searchParams, body, raw });
  const { status, type, body: said } = await Promise.race([work, abortOf(init.signal)]);
  return new Response(said as BodyInit, { status, headers: { "content-type": type } });
}

function abortOf(signal: AbortSignal | null | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => reject(new DOMException("taken back", "AbortError"));
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop);
  });
}
