/** Short messages at the edge of the page, and deletions that wait a moment so that they can be undone. */
import { SvelteSet } from "svelte/reactivity";
import { sentence } from "./api.ts";

export interface Toast {
  readonly id: number;
  readonly text: string;
  readonly tone: "plain" | "good" | "bad";
  readonly action?: { readonly label: string; readonly run: () => void };
}

const LIFE = 6_000;
const UNDO_LIFE = 8_000;

class Toasts {
  list = $state.raw<readonly Toast[]>([]);
  /** Pages that show them in a row of their own, so that they cover nothing. */
  hosts = $state(0);
  #next = 1;
  readonly #timers = new Map<number, ReturnType<typeof setTimeout>>();
  readonly #ends = new Map<number, () => void>();

  constructor() {
    document.addEventListener("visibilitychange", () => {
      for (const { id } of this.list) if (!this.#ends.has(id)) this.resume(id);
    });
  }

  /** Show a message; `end` runs once when it goes by itself or is closed, not when its action was taken. */
  show(text: string, tone: Toast["tone"] = "plain", action?: Toast["action"], end?: () => void): number {
    const id = this.#next++;
    this.list = [...this.list.slice(-2), { id, text, tone, ...(action ? { action } : {}) }];
    for (const known of this.#ends.keys())
      if (!this.list.some((toast) => toast.id === known)) this.#finish(known);
    if (end) this.#ends.set(id, end);
    this.resume(id);
    return id;
  }

  /** Show why something failed, in the box's own sentence. */
  fail(error: unknown): void {
    this.show(sentence(error), "bad");
  }

  /** Hold a message while it is pointed at or has the focus. */
  hold(id: number): void {
    clearTimeout(this.#timers.get(id));
  }

  /** Let its time run again from the start; nobody reads in a hidden tab, where only what is to happen goes on. */
  resume(id: number): void {
    this.hold(id);
    if (document.hidden && !this.#ends.has(id)) return;
    const life = this.#ends.has(id) ? UNDO_LIFE : LIFE;
    this.#timers.set(
      id,
      setTimeout(() => this.close(id), life),
    );
  }

  close(id: number): void {
    this.#remove(id);
    this.#finish(id);
  }

  /** Take the message's action instead of its end. */
  act(toast: Toast): void {
    this.#ends.delete(toast.id);
    this.#remove(toast.id);
    toast.action?.run();
  }

  #remove(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.list = this.list.filter((toast) => toast.id !== id);
  }

  #finish(id: number): void {
    const end = this.#ends.get(id);
    this.#ends.delete(id);
    end?.();
  }
}

export const toasts = new Toasts();

/** Keys of things that are being deleted: lists leave them out while they can still come back. */
export const leaving = new SvelteSet<string>();

const late = new Map<string, () => void>();

/**
 * Hide the thing called `key`, offer to undo, and delete it when the offer has passed.
 * `commit(true)` is the last call of a page that closes and must use a request that outlives it.
 */
export function removeLater(
  key: string,
  words: { readonly text: string; readonly undo: string },
  commit: (late: boolean) => Promise<unknown>,
): void {
  leaving.add(key);
  late.set(key, () => void commit(true));
  const restore = (): void => {
    late.delete(key);
    leaving.delete(key);
  };
  toasts.show(words.text, "plain", { label: words.undo, run: restore }, () => {
    if (!late.delete(key)) return;
    commit(false)
      .catch((error: unknown) => toasts.fail(error))
      .finally(() => leaving.delete(key));
  });
}

/** Do every waiting deletion now: the page is going away. */
export function flushRemovals(): void {
  for (const [key, run] of late) {
    late.delete(key);
    run();
  }
}
