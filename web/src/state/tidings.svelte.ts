/** News of the box that lists look at again: the queue of reports, one's own reports, how the box shows itself. */
import { untrack } from "svelte";
import type { Event } from "../protocol/post.ts";

const KINDS = ["desk", "report", "box"] as const;
export type Tiding = (typeof KINDS)[number];

class Tidings {
  /** Each grows whenever the box says so; a new beginning of the stream counts as news of everything. */
  readonly heard = $state<Record<Tiding, number>>({ desk: 0, report: 0, box: 0 });

  hear(event: Pick<Event, "kind">): void {
    const anew = event.kind === "hello" || event.kind === "reset";
    for (const kind of KINDS) if (anew || kind === event.kind) this.heard[kind] += 1;
  }
}

export const tidings = new Tidings();

/** Load `resources` now and whenever the box has news of this kind, while the calling component is in view. */
export function heed(kind: Tiding, ...resources: { refresh(): Promise<void> }[]): void {
  $effect(() => {
    void tidings.heard[kind];
    untrack(() => {
      for (const resource of resources) void resource.refresh();
    });
  });
}
