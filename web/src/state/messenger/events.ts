/**
 * News from the box: by WebSocket, which carries small things the other way as well (`line.ts`), by long poll where
 * that does not work. News only say where to look; after every new beginning everything is looked at once, so that
 * a cut loses nothing.
 */
import type { Session } from "../../protocol/account.ts";
import { decode, type Value } from "../../protocol/cbor.ts";
import { toBase64url } from "../../protocol/base64url.ts";
import type { Event, Events, Ticket } from "../../protocol/post.ts";
import { Refusal } from "../api.ts";
import { Line } from "../line.ts";
import { isOffline } from "../wire.ts";
import type { Core } from "./core.ts";

const POLL_DEADLINE = 40_000;
const SESSION_OVER = 4001;
/** A socket that lives shorter than this did not work. */
const WORKS = 3_000;
const SOCKET_TRIES = 2;

export class Listening {
  #socket: WebSocket | undefined;
  #stop = new AbortController();
  #failed = 0;

  constructor(
    readonly core: Core,
    readonly connection: (connection: "live" | "polling" | "offline") => void,
    readonly heard: (event: Event) => void,
  ) {}

  start(): void {
    void this.#run();
  }

  stop(): void {
    this.#stop.abort();
    this.#socket?.close();
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#stopped;) {
      const began = Date.now();
      try {
        const socket = this.core.wire.transport.socket !== undefined && this.#failed < SOCKET_TRIES;
        if (socket) await this.#live();
        else await this.#poll(() => (failures = 0));
        if (Date.now() - began > WORKS) failures = 0;
        else failures++;
      } catch (error) {
        if (this.#stopped) return;
        if (!isOffline(error) && !(error instanceof Refusal)) this.#failed++;
        failures++;
      }
      if (this.#stopped) return;
      if (failures > 1) this.connection("offline");
      await this.core.pause(failures);
    }
  }

  /** This sign-in has ended (then the wire says so), or may do other things now. */
  #lookAtSession(): void {
    const { wire, options } = this.core;
    void wire.get<Session>("/v1/session").then(options.renewed, () => undefined);
  }

  get #stopped(): boolean {
    return this.#stop.signal.aborted || this.core.closed;
  }

  async #live(): Promise<void> {
    const { ticket } = await this.core.wire.post<Ticket>("/v1/events/ticket");
    const began = Date.now();
    let greeted = false;
    await new Promise<void>((done) => {
      const socket = this.core.wire.transport.socket!(`/v1/events?ticket=${encodeURIComponent(ticket)}`);
      const line = new Line(socket);
      this.#socket = socket;
      socket.binaryType = "arraybuffer";
      socket.onmessage = (message: MessageEvent<ArrayBuffer>) => {
        const value = read(new Uint8Array(message.data));
        if (value === undefined) return;
        if (Array.isArray(value)) return line.take(value);
        if (!greeted) this.connection("live");
        greeted = true;
        this.core.wire.line = line;
        this.heard(value as unknown as Event);
      };
      socket.onclose = (event) => {
        if (this.core.wire.line === line) this.core.wire.line = undefined;
        line.end();
        if (event.code === SESSION_OVER) this.#lookAtSession();
        done();
      };
      socket.onerror = () => socket.close();
    });
    this.#socket = undefined;
    this.#failed = greeted || Date.now() - began > WORKS ? 0 : this.#failed + 1;
  }

  async #poll(worked: () => void): Promise<void> {
    for (let stream = "", after = 0; !this.#stopped;) {
      const path = `/v1/events?stream=${stream}&after=${after}`;
      const options = { deadline: POLL_DEADLINE, signal: this.#stop.signal };
      const answer = await this.core.wire.get<Events>(path, options);
      worked();
      this.connection("polling");
      stream = toBase64url(answer.stream);
      for (const event of answer.events) {
        after = Math.max(after, event.number);
        if (event.kind === "session") this.#lookAtSession();
        this.heard(event);
      }
    }
  }
}

function read(data: Uint8Array): Value | undefined {
  try {
    return decode(data);
  } catch {
    return undefined;
  }
}
