/**
 * The line: the open event socket, on which small things go to the box as well. That saves a request's work there
 * and, over Tor after a pause, the half second of a new connection. What was not answered in time, or when the
 * socket fell, is asked again by a request: all that goes this way may be asked for twice (SPEC.md, "Events").
 */
import { encode, type Value } from "../protocol/cbor.ts";
import { MAX_SOCKET_MESSAGE } from "../protocol/post.ts";
import { Refusal } from "./api.ts";

/** What the box calls the requests that it takes on the socket. */
export const WORDS: Readonly<Record<string, string>> = {
  "/v1/vault": "change",
  "/v1/channels/post": "post",
  "/v1/dispatch": "dispatch",
  "/v1/queue/settle": "settle",
};
/** Milliseconds after which a silent line counts as dead: browsers do not say. */
const PATIENCE = 8_000;

/** Nobody knows whether it was done: ask again, by a request. */
export class Lost extends Error {}

interface Asked {
  done: (answer: unknown) => void;
  failed: (error: Error) => void;
  timer: ReturnType<typeof setTimeout>;
}

export class Line {
  #asked = new Map<number, Asked>();
  #number = 0;

  constructor(readonly socket: WebSocket) {}

  /** Ask on the line; undefined for what does not go this way. Rejects with the box's Refusal, or Lost. */
  ask(path: string, body: object): Promise<unknown> | undefined {
    const word = WORDS[path];
    if (word === undefined || this.socket.readyState !== this.socket.OPEN) return undefined;
    const number = ++this.#number;
    const frame = encode([word, body as Value, number]);
    if (frame.length > MAX_SOCKET_MESSAGE) return undefined;
    return new Promise((done, failed) => {
      const timer = setTimeout(() => {
        this.end(); // a dead socket takes its time to close
        this.socket.close();
      }, PATIENCE);
      this.#asked.set(number, { done, failed, timer });
      this.socket.send(frame as BufferSource);
    });
  }

  /** An answer came. */
  take([word, body, number]: readonly Value[]): void {
    const asked = this.#asked.get(number as number);
    if (!asked) return;
    this.#asked.delete(number as number);
    clearTimeout(asked.timer);
    if (word !== "refused") return asked.done(body);
    const { error } = body as { error: { code: string; message: string; details?: object } };
    asked.failed(new Refusal(error.code, error.message, 0, { ...error.details }));
  }

  /** The socket has fallen. */
  end(): void {
    for (const { failed, timer } of this.#asked.values()) {
      clearTimeout(timer);
      failed(new Lost());
    }
    this.#asked.clear();
  }
}
