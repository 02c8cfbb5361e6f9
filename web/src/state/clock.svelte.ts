/** The present moment as the page shows it, by the box's clock, every half minute. */
import { live } from "./live.svelte.ts";

const STEP = 30_000;

class Clock {
  #here = $state(Date.now() / 1000);
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Unix seconds by the box's clock. */
  get now(): number {
    return this.#here + live.ahead;
  }

  start(): void {
    this.#timer = setInterval(() => (this.#here = Date.now() / 1000), STEP);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

export const clock = new Clock();
