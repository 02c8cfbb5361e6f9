/** Fake channels: the desk with its list, found by the pages as they find the real one. It seals nothing. */
import { Refusal } from "../src/state/api.ts";
import type { Channel, ChannelDesk } from "../src/state/channels/types.ts";
import { FakeChannel } from "./channel.svelte.ts";
import { MINE, OTHERS } from "./channelTalk.ts";

export class FakeChannels implements ChannelDesk {
  phase = $state<ChannelDesk["phase"]>("ready");
  settling = $state(false);
  problem = $state<string | null>(null);
  all = $state.raw<FakeChannel[]>([]);

  constructor(wishes: URLSearchParams = new URLSearchParams()) {
    this.reset(wishes);
  }

  /** Begin anew: for the tests. */
  reset(wishes: URLSearchParams = new URLSearchParams()): void {
    const gone = (one: FakeChannel): void => void (this.all = this.all.filter((other) => other !== one));
    const scenes = wishes.has("empty") ? [] : [...MINE(Math.floor(Date.now() / 1000)), ...OTHERS];
    this.all = scenes.map((scene) => new FakeChannel(scene, gone));
    this.phase = wishes.has("opening") ? "loading" : wishes.has("broken") ? "failed" : "ready";
    this.problem = this.phase === "failed" ? "offline" : null;
    this.settling = false;
  }

  get mine(): readonly FakeChannel[] {
    return this.all
      .filter((one) => one.role !== null)
      .toSorted((a, b) => (b.last?.sent ?? 0) - (a.last?.sent ?? 0));
  }

  get others(): readonly FakeChannel[] {
    return this.all
      .filter((one) => one.role === null && one.public)
      .toSorted((a, b) => a.title.localeCompare(b.title));
  }

  get unread(): number {
    return this.mine.reduce((sum, one) => sum + (one.muted ? 0 : one.unread), 0);
  }

  get mentioned(): boolean {
    return this.mine.some((one) => one.mentioned);
  }

  find(id: string): FakeChannel | undefined {
    return this.all.find((one) => one.id === id);
  }

  async open(id: string): Promise<Channel> {
    const found = this.find(id);
    if (!found) throw new Refusal("no_channel", "There is no such channel here.", 404);
    found.appear();
    return found;
  }

  leave(): void {}

  async refresh(): Promise<void> {
    this.phase = "ready";
    this.problem = null;
  }

  async create(made: { title: string; topic: string; public: boolean }): Promise<Channel> {
    const one = new FakeChannel(
      {
        ...made,
        role: "owner",
        members: [["ada", "owner"]],
        lines: [{ ago: 0, by: "ada", change: { what: "create" } }],
      },
      (gone) => void (this.all = this.all.filter((other) => other !== gone)),
    );
    this.all = [one, ...this.all];
    return one;
  }
}
