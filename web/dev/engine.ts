/**
 * Stands for the engine in development and in tests. The address says where it begins:
 * `?door` nobody is signed in, `?locked`, `?empty`, `?member`, `?moved`, `?alarm`, `?opening`, `?offline`,
 * `?broken` the list of channels does not come.
 */
import { FakeAccount } from "./account.svelte.ts";
import { FakeChannels } from "./channels.svelte.ts";
import { FakeMessenger } from "./messenger.svelte.ts";

const wishes = new URLSearchParams(globalThis.location?.search ?? "");

export const messenger = new FakeMessenger(wishes);
export const account = new FakeAccount(wishes);
export const channels = new FakeChannels(wishes);
