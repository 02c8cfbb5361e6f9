/** Everything the vault holds of a person's conversations, in clear, for the export. */
import { toHex } from "../../protocol/bytes.ts";
import type { Core } from "./core.ts";
import type { SegmentRecord } from "./records.ts";

/** Conversations with all their events, as they lie in the vault; keys and secrets are left out. */
export async function dump(core: Core): Promise<unknown> {
  const { name, onion, display, zone } = core.account();
  const conversations = [];
  for (const chat of core.chats.all) {
    const stretches = (await core.vault.read(chat.history.all())) as unknown as (SegmentRecord | undefined)[];
    const events = stretches.flatMap((stretch) => stretch?.events ?? []);
    const { address, display: called, zone: theirs, state, verified } = chat;
    conversations.push({
      address,
      display: called,
      zone: theirs,
      picture: await core.appearance.read(chat.id),
      state,
      verified,
      events: events.sort((a, b) => a.at - b.at),
    });
  }
  const picture = await core.appearance.read(toHex(core.identity()));
  return { address: `${name}@${onion}`, display, zone, picture, conversations };
}
