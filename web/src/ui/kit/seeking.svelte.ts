/** Searching while one types: a moment after the last key; an answer that was overtaken is dropped. */
import { aborted, sentence } from "../../state/api.ts";

const PAUSE = 250;
const LEAST = 2;

/** Belongs to the component that makes it. */
export class Seeking<T> {
  wanted = $state("");
  #found = $state.raw<T>();
  #problem = $state("");

  /** `search` is given nothing shorter than two letters, and a signal that it was overtaken. */
  constructor(search: (text: string, signal: AbortSignal) => Promise<T> | undefined) {
    $effect(() => {
      const text = this.wanted.trim();
      this.#found = undefined;
      this.#problem = "";
      if (text.length < LEAST) return;
      const stop = new AbortController();
      const timer = setTimeout(() => {
        search(text, stop.signal)
          ?.then((found) => !stop.signal.aborted && (this.#found = found))
          .catch((error: unknown) => {
            if (!stop.signal.aborted && !aborted(error)) this.#problem = sentence(error);
          });
      }, PAUSE);
      return () => {
        clearTimeout(timer);
        stop.abort();
      };
    });
  }

  /** Whether enough was typed to search for. */
  get on(): boolean {
    return this.wanted.trim().length >= LEAST;
  }
  get found(): T | undefined {
    return this.#found;
  }
  get problem(): string {
    return this.#problem;
  }
}
