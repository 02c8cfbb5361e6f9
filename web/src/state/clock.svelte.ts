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

/** Whole seconds left until a moment by this browser's clock, counted down in the component that makes it. */
export class Countdown {
  left = $state(0);

  constructor(until: () => number) {
    $effect(() => {
      const end = until();
      const look = (): void => {
        this.left = Math.max(0, Math.ceil(end - Date.now() / 1000));
        if (this.left === 0) clearInterval(timer);
      };
      const timer = setInterval(look, 1_000);
      look();
      return () => clearInterval(timer);
    });
  }
}
