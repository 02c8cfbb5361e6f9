/**
 * Stands for the engine in development and in tests. The address says where it begins:
 * `?door` nobody is signed in, `?locked`, `?empty`, `?member`, `?moved`, `?alarm`, `?opening`, `?offline`.
 */
import { FakeAccount } from "./account.svelte.ts";
import { FakeMessenger } from "./messenger.svelte.ts";

const wishes = new URLSearchParams(globalThis.location?.search ?? "");

export const messenger = new FakeMessenger(wishes);
export const account = new FakeAccount(wishes);
