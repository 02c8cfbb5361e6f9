/** A list or record of the box, kept while pages change, loaded again at every tick while it is in view. */
import { untrack } from "svelte";
import { aborted, sentence } from "./api.ts";
import { live } from "./live.svelte.ts";

export class Resource<T> {
  /** What was loaded last; stays while a newer one is on its way. */
  value = $state.raw<T | undefined>();
  /** Why the last load failed, in a sentence; gone with the next good one. */
  problem = $state<string | undefined>();
  #turn = 0;

  constructor(private readonly load: () => Promise<T>) {}

  /** Load now. An answer that was overtaken by a newer request or by `set` is dropped. */
  async refresh(): Promise<void> {
    const turn = ++this.#turn;
    try {
      const value = await this.load();
      if (turn !== this.#turn) return;
      this.value = value;
      this.problem = undefined;
    } catch (error) {
      if (turn === this.#turn && !aborted(error)) this.problem = sentence(error);
    }
  }

  /** Show `value` at once, before the box has said so. */
  set(value: T): void {
    this.#turn += 1;
    this.value = value;
  }

  /** Change what is shown, if anything is. */
  change(step: (value: T) => T): void {
    if (this.value !== undefined) this.set(step(this.value));
  }

  /** Forget everything (after sign-out). */
  clear(): void {
    this.#turn += 1;
    this.value = undefined;
    this.problem = undefined;
  }
}

/** Keep `resources` fresh while the calling component is in view. */
export function follow(...resources: { refresh(): Promise<void> }[]): void {
  $effect(() => {
    void live.tick;
    untrack(() => {
      for (const resource of resources) void resource.refresh();
    });
  });
}
