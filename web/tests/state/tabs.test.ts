import { afterEach, expect, test } from "vitest";
import { AccountDesk } from "../../src/state/account/account.svelte.ts";
import { MessengerDesk } from "../../src/state/messenger/messenger.svelte.ts";
import type { Tabs } from "../../src/state/vault/tabs.ts";
import { Wire } from "../../src/state/wire.ts";
import { FakeBox } from "./fake/box.ts";
import { Browser, closeAll, friends, until } from "./fake/people.ts";

afterEach(closeAll);

/** The locks of one browser, as far as they are used. */
class Locks {
  #holder: { steal: () => void } | undefined;
  #waiting: (() => void)[] = [];

  request = async (
    _name: string,
    options: { ifAvailable?: boolean; steal?: boolean; signal?: AbortSignal },
    run: (lock: object | null) => Promise<void>,
  ): Promise<void> => {
    if (this.#holder && options.ifAvailable) return run(null);
    if (this.#holder && options.steal) this.#holder.steal();
    while (this.#holder && !options.steal)
      await new Promise<void>((done, failed) => {
        this.#waiting.push(done);
        options.signal?.addEventListener("abort", () => failed(new DOMException("", "AbortError")));
      });
    let stolen: () => void = () => undefined;
    const theft = new Promise<never>((_, failed) => {
      stolen = () => failed(new DOMException("", "AbortError"));
    });
    const holder = { steal: stolen };
    this.#holder = holder;
    try {
      await Promise.race([run({}), theft]);
    } finally {
      if (this.#holder === holder) this.#holder = undefined;
      for (const wake of this.#waiting.splice(0)) wake();
    }
  };
}

class Channels {
  readonly all = new Set<{ onmessage: (() => void) | null }>();

  make = (): BroadcastChannel => {
    const channel = {
      onmessage: null as (() => void) | null,
      postMessage: () => {
        for (const other of this.all) if (other !== channel) setTimeout(() => other.onmessage?.());
      },
      close: () => this.all.delete(channel),
    };
    this.all.add(channel);
    return channel as unknown as BroadcastChannel;
  };
}

/** Two pages of one browser. */
async function pages(answers = true) {
  const box = new FakeBox();
  const [ada, ben] = await friends(box);
  await ada.account.signOut();
  const first = new Browser(box);
  const tabs: Tabs = {
    locks: new Locks() as unknown as LockManager,
    channel: answers ? new Channels().make : undefined,
  };
  const page = (): MessengerDesk => {
    const account = new AccountDesk(new Wire(first.line), first.locker);
    return new MessengerDesk(account, tabs, { patience: 80, pauses: [5, 10], stock: 2 });
  };
  const one = page();
  await one.account.signIn("ada", "seven grey gulls");
  await until(() => one.phase === "ready");
  const two = page();
  await two.account.begin();
  return { box, ben, one, two };
}

test("of two pages one writes; the other may take over, and goes on with the same device", async () => {
  const { one, two, ben } = await pages();
  await until(() => two.phase === "moved");
  await expect(two.start(ben.address)).rejects.toMatchObject({ code: "moved" });
  const { device } = one.me!;
  await two.takeOver();
  await until(() => two.phase === "ready" && one.phase === "moved");
  expect(two.me!.device).toBe(device);
  await two.conversations[0]!.send("from the second page");
  await until(() => ben.messenger.conversations[0]!.last?.text === "from the second page");
  await one.takeOver();
  await until(() => one.phase === "ready" && two.phase === "moved");
  expect(one.me!.device).toBe(device);
  await one.core!.close(false);
});

test("a page that does not answer is passed over", async () => {
  const { one, two } = await pages(false);
  await until(() => two.phase === "moved");
  await two.takeOver();
  await until(() => two.phase === "ready" && one.phase === "moved", 8_000);
  await two.core!.close(false);
});
