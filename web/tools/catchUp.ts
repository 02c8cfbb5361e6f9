/** The engine in a page of its own, for `catchUp.mjs`: it joins a channel, and comes back to many messages. */
import { account, channels, messenger } from "../src/state/engine.ts";

const PASSPHRASE = "seven grey gulls";
const pause = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));

async function until(holds: () => boolean, milliseconds = 150_000): Promise<void> {
  for (const end = Date.now() + milliseconds; !holds();) {
    const stand = [account.standing, messenger.phase, channels.phase, channels.mine[0]?.messages.length];
    if (Date.now() > end) throw new Error(`never came true: ${holds.toString()}, ${stand.join()}`);
    await pause(5);
  }
}

/** Make an account by an invite; once it is there others can look it up. */
async function signUp(name: string, invite: string): Promise<void> {
  await account.signUp({ name, passphrase: PASSPHRASE, invite, label: name });
  await until(() => messenger.core?.upkeep.settled === true && channels.phase === "ready");
}

async function invite(): Promise<string> {
  return (await account.invite({ uses: 4 })).code;
}

/** Make a channel; its id. */
async function create(): Promise<string> {
  return (await channels.create({ title: "Pace", topic: "", public: true })).id;
}

async function join(id: string): Promise<void> {
  await channels.refresh();
  const channel = await channels.open(id);
  await channel.join();
}

/** Everything that is to be made and stored is, and the page may go. */
async function leave(): Promise<void> {
  await messenger.core!.upkeep.fill(100);
  await messenger.core!.close(true);
}

/** Write so many messages; the milliseconds they took. */
async function write(id: string, count: number): Promise<number> {
  const begin = performance.now();
  const channel = await channels.open(id);
  const posted = () => channel.messages.filter((one) => one.state === "posted").length;
  const before = posted();
  for (let at = 0; at < count; at++) await channel.send(`message ${at}, as people write it to one another`);
  await until(() => posted() >= before + count);
  return performance.now() - begin;
}

/** Open the channel as soon as the account is there: milliseconds to its first messages, to all, and the longest stop. */
async function catchUp(id: string, count: number): Promise<Record<string, number>> {
  await account.begin();
  await until(() => messenger.phase === "ready" && channels.phase === "ready");
  const core = messenger.core!;
  const begin = performance.now();
  let [last, longest, first] = [begin, 0, 0];
  const channel = core.channels.find(id)!;
  const shown = () => channel.messages.filter((one) => one.kind === "text").length;
  const looking = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (!first && shown() >= Math.min(count, 60)) first = now - begin;
  }, 4);
  await channels.open(id);
  await until(() => shown() >= count && first > 0);
  const all = performance.now() - begin;
  clearInterval(looking);
  if (channel.messages.some((one) => one.unreadable)) throw new Error("not all were read");
  return { first, all, longest };
}

Object.assign(globalThis, { engine: { signUp, invite, create, join, leave, write, catchUp } });
