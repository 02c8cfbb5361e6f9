/** What the pages share: one resource for each list of the box. */
import * as desk from "./desk.ts";
import { forget as forgetOrder } from "./order.ts";
import { Resource } from "./resource.svelte.ts";

export const relayLoad = new Resource(desk.relayLoad);
export const usedRelays = new Resource(async () => (await desk.usedRelays()).relays);
export const readers = new Resource(async () => (await desk.readers()).readers);
export const readerKeys = new Resource(async () => (await desk.readerKeys()).addresses);
export const health = new Resource(desk.health);
export const forgotten = new Resource(desk.minimised);
export const settings = new Resource(desk.settings);

/** Forget everything that was shown. */
export function forget(): void {
  for (const resource of [relayLoad, usedRelays]) resource.clear();
  for (const resource of [readers, readerKeys, health, forgotten, settings]) resource.clear();
  forgetOrder();
}
