/** Channels as the pages see them: those of the account that is open. Small: what works behind it comes with the messages. */
import { Refusal } from "../api.ts";
import { messenger as pageMessenger } from "../messenger/messenger.svelte.ts";
import type { Channel, ChannelDesk } from "./types.ts";

/** Whoever has the desk of the account that is open; undefined while none is. */
export interface Holder {
  readonly core: { readonly channels: ChannelDesk } | undefined;
}

export class Channels implements ChannelDesk {
  constructor(readonly holder: Holder) {}

  get phase(): ChannelDesk["phase"] {
    return this.#desk?.phase ?? "loading";
  }
  get problem(): string | null {
    return this.#desk?.problem ?? null;
  }
  get mine(): readonly Channel[] {
    return this.#desk?.mine ?? [];
  }
  get others(): readonly Channel[] {
    return this.#desk?.others ?? [];
  }
  get settling(): boolean {
    return this.#desk?.settling ?? false;
  }
  get unread(): number {
    return this.#desk?.unread ?? 0;
  }
  get mentioned(): boolean {
    return this.#desk?.mentioned ?? false;
  }

  find(id: string): Channel | undefined {
    return this.#desk?.find(id);
  }

  async open(id: string): Promise<Channel> {
    return this.#ready.open(id);
  }

  leave(id: string): void {
    this.#desk?.leave(id);
  }

  async refresh(): Promise<void> {
    await this.#desk?.refresh();
  }

  async create(made: Parameters<ChannelDesk["create"]>[0]): Promise<Channel> {
    return this.#ready.create(made);
  }

  get #desk(): ChannelDesk | undefined {
    return this.holder.core?.channels;
  }

  get #ready(): ChannelDesk {
    if (!this.#desk) throw new Refusal("moved", "", 409);
    return this.#desk;
  }
}

export const channels: ChannelDesk = new Channels(pageMessenger);
