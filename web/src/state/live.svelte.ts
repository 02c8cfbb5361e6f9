/** The one live view of the box: a long poll that never gives up, and a tick that tells lists to look again. */
import type { State } from "../protocol/desk.ts";
import { Refusal } from "./api.ts";
import * as desk from "./desk.ts";

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 10_000;
/** An answer faster than this without news means that the box does not hold the poll; then we pause. */
const HELD_AT_LEAST = 1_000;

class Live {
  /** The last state heard; undefined until the first answer. */
  state = $state.raw<State | undefined>();
  /** False from the first unanswered request to the next answer. */
  online = $state(true);
  /** Grows with every answer; lists in view load again when it does. */
  tick = $state(0);
  /** Seconds that the box's clock is ahead of this browser's. */
  ahead = $state(0);

  #poll: AbortController | undefined;
  #wake: (() => void) | undefined;
  #running = false;

  /** Poll until `stop`; safe to call twice. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    document.addEventListener("visibilitychange", this.#seen);
    void this.#run();
  }

  stop(): void {
    this.#running = false;
    document.removeEventListener("visibilitychange", this.#seen);
    this.refresh();
  }

  /** Drop the waiting poll and ask at once, without waiting for news. */
  refresh(): void {
    this.#fresh = true;
    this.#poll?.abort();
    this.#wake?.();
  }

  #fresh = true;
  readonly #seen = (): void => {
    if (document.visibilityState === "visible" && !this.online) this.#wake?.();
  };

  async #run(): Promise<void> {
    let pause = FIRST_PAUSE;
    while (this.#running) {
      const began = performance.now();
      const before = this.state?.revision;
      try {
        await this.#ask();
        pause = FIRST_PAUSE;
        const held = performance.now() - began;
        if (this.state?.revision === before && held < HELD_AT_LEAST) await this.#sleep(HELD_AT_LEAST - held);
      } catch (error) {
        if (!(error instanceof Refusal)) continue;
        this.online = error.code !== "offline";
        await this.#sleep(pause);
        pause = Math.min(pause * 2, LONGEST_PAUSE);
      }
    }
  }

  async #ask(): Promise<void> {
    const after = this.#fresh || !this.online ? undefined : this.state?.revision;
    this.#fresh = false;
    this.#poll = new AbortController();
    const state = await desk.state(after, this.#poll.signal);
    this.state = state;
    this.online = true;
    this.ahead = state.time - Date.now() / 1000;
    this.tick += 1;
  }

  #sleep(milliseconds: number): Promise<void> {
    return new Promise((done) => {
      const timer = setTimeout(done, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        done();
      };
    });
  }
}

export const live = new Live();
