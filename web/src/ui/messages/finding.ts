/** Finding a conversation by what stands in the address of the page. */
import { messenger } from "../../state/engine.ts";
import type { Conversation } from "../../state/messenger/types.ts";

/** The conversation with this id, or with this address (one that was not looked up yet); follows both lists. */
export function talkOf(id: string): Conversation | undefined {
  if (id === "") return undefined;
  const all = [...messenger.conversations, ...messenger.requests];
  return all.find((one) => one.id === id || one.address === id);
}
