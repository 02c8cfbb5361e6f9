/** The engine behind the pages: accounts and messages. In development and in tests dev/engine.ts stands here. */
export { account } from "./account/account.svelte.ts";
export { messenger } from "./messenger/messenger.svelte.ts";
