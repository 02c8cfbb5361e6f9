/** The threads of one board, as far as they were loaded: pinned ones first, then the newest. */
import { toBase64url } from "../../protocol/base64url.ts";
import type { Thread, Threads } from "../../protocol/board.ts";
import type { Refusal } from "../api.ts";
import { asRefusal } from "../wire.ts";
import type { BoardsDesk } from "./desk.svelte.ts";

export interface ThreadRow extends Thread {
  readonly key: string;
}

const PAGE = 30;
const TOGETHER = 300;

export class OneBoard {
  pinned = $state.raw<readonly ThreadRow[]>([]);
  threads = $state.raw<readonly ThreadRow[]>([]);
  /** Whether there are more behind the last. */
  more = $state(false);
  loading = $state(false);
  there = $state(false);
  problem = $state.raw<Refusal | undefined>();
  readonly #end: () => void;
  #soon: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly desk: BoardsDesk,
    readonly key: string,
  ) {
    this.#end = desk.hear(key, () => {
      this.#soon ??= setTimeout(() => {
        this.#soon = undefined;
        void this.refresh();
      }, TOGETHER);
    });
  }

  close(): void {
    clearTimeout(this.#soon);
    this.#end();
  }

  /** The first page anew; what was loaded behind it stays where it still belongs. */
  async refresh(): Promise<void> {
    try {
      const page = await this.#page("");
      const fresh = page.threads.map(row);
      const known = new Set([...page.pinned.map(row), ...fresh].map((one) => one.key));
      const last = fresh.at(-1)?.last ?? 0;
      const rest = page.more ? this.threads.filter((one) => !known.has(one.key) && one.last < last) : [];
      this.pinned = page.pinned.map(row);
      this.threads = [...fresh, ...rest];
      if (rest.length === 0) this.more = page.more;
      this.there = true;
      this.problem = undefined;
    } catch (error) {
      this.problem = asRefusal(error);
    }
  }

  async loadMore(): Promise<void> {
    const last = this.threads.at(-1)?.last;
    if (this.loading || !this.more || last === undefined) return;
    this.loading = true;
    try {
      const page = await this.#page(`&before=${last}`);
      const known = new Set(this.threads.map((one) => one.key));
      this.threads = [...this.threads, ...page.threads.map(row).filter((one) => !known.has(one.key))];
      this.more = page.more;
      this.problem = undefined;
    } catch (error) {
      this.problem = asRefusal(error);
    } finally {
      this.loading = false;
    }
  }

  #page(where: string): Promise<Threads> {
    return this.desk.ground.wire.get(`/v1/boards/${this.key}/threads?limit=${PAGE}${where}`);
  }
}

function row(thread: Thread): ThreadRow {
  return { ...thread, key: toBase64url(thread.thread) };
}
