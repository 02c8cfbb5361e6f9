/** Search in one's own messages: through all of the history, newest first, all of it in this browser. */
import type { Chat } from "./chat.svelte.ts";
import type { SegmentRecord } from "./records.ts";
import type { Core } from "./core.ts";
import { plain } from "./plain.ts";
import { textOf } from "./timeline.ts";
import type { Hit } from "./types.ts";

const AT_ONCE = 64;

/** Messages that hold `text`, newest first; letter case and accents do not matter. */
export async function search(core: Core, text: string, limit: number): Promise<Hit[]> {
  const wanted = plain(text);
  if (wanted === "") return [];
  const chats = core.chats.all.filter((chat) => chat.state !== "request");
  const stretches = chats.flatMap((chat) => chat.history.all().map((name) => ({ chat, name })));
  const missing = stretches.filter(({ name }) => !core.vault.has(name));
  for (let at = 0; at < missing.length; at += AT_ONCE) {
    core.stage.progress = { what: "history", done: at, total: missing.length };
    await core.vault.read(missing.slice(at, at + AT_ONCE).map(({ name }) => name));
  }
  core.stage.progress = null;
  const hits = new Map<string, Hit>();
  for (const { chat, name } of stretches) {
    const record = core.vault.peek(name) as unknown as SegmentRecord | undefined;
    if (!record) continue;
    chat.history.take(record.events);
  }
  for (const chat of chats) collect(chat, wanted, hits);
  return [...hits.values()].sort((a, b) => b.sent - a.sent).slice(0, limit);
}

function collect(chat: Chat, wanted: string, hits: Map<string, Hit>): void {
  for (const entry of chat.timeline.shown(0)) {
    const text = textOf(entry);
    const name = entry.content?.kind === "attachment" && !entry.deleted ? entry.content.name : "";
    if (!plain(`${text} ${name}`).includes(wanted)) continue;
    const hit = {
      conversation: chat.id,
      message: entry.id,
      text: text || name,
      sent: Math.floor(entry.at / 1000),
      mine: entry.by === 0,
    };
    hits.set(entry.id, hit);
  }
}
