/** The engine behind the pages: accounts, messages and channels. In development and in tests dev/engine.ts stands here. */
export { account } from "./account/account.svelte.ts";
export { messenger } from "./messenger/messenger.svelte.ts";
export { channels } from "./channels/channels.svelte.ts";
