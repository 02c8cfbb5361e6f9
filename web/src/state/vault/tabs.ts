/** One writer among the tabs of a browser: who holds the lock writes, the others wait to be asked. */

/** What tells that another tab took over. */
export interface Turn {
  /** Give the turn back. */
  release(): void;
}

const PATIENCE = 4_000;

/** The locks and the channel between tabs; tests put their own here. */
export interface Tabs {
  locks: LockManager | undefined;
  channel: ((name: string) => BroadcastChannel) | undefined;
}

/** Those of the page. */
export const pageTabs: Tabs = {
  locks: typeof navigator === "undefined" ? undefined : navigator.locks,
  channel: typeof BroadcastChannel === "undefined" ? undefined : (name) => new BroadcastChannel(name),
};

/**
 * The turn to write, or undefined when another tab has it. With `take` that tab is asked to finish and, if it
 * does not answer, is passed over. `lost` is awaited before the turn goes to a tab that asks.
 */
export async function takeTurn(
  tabs: Tabs,
  name: string,
  lost: () => Promise<void>,
  take: boolean,
): Promise<Turn | undefined> {
  const { locks } = tabs;
  // Without locks tabs cannot tell who writes; the vault's own compare-and-swap still keeps them apart.
  if (!locks) return { release: () => undefined };
  const channel = tabs.channel?.(name);
  if (take) channel?.postMessage("yield");
  return new Promise((done) => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((free) => (release = free));
    const end = (): void => {
      release();
      channel?.close();
    };
    const enter = async (lock: Lock | null): Promise<void> => {
      if (!lock) {
        channel?.close();
        return done(undefined);
      }
      if (channel) channel.onmessage = () => void lost().finally(end);
      done({ release: end });
      await held;
    };
    const stolen = (): void => {
      void lost();
      end();
    };
    if (!take) void locks.request(name, { ifAvailable: true }, enter).catch(stolen);
    else void patiently(locks, name, enter).catch(stolen);
  });
}

async function patiently(
  locks: LockManager,
  name: string,
  enter: (lock: Lock | null) => Promise<void>,
): Promise<void> {
  const patience = new AbortController();
  let entered = false;
  const timer = setTimeout(() => !entered && patience.abort(), PATIENCE);
  try {
    await locks.request(name, { signal: patience.signal }, (lock) => {
      entered = true;
      clearTimeout(timer);
      return enter(lock);
    });
  } catch (error) {
    if (entered) throw error;
    await locks.request(name, { steal: true }, enter);
  }
}
