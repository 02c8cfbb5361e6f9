/**
 * Fills the archive of a real box, for measuring: ARCHIVE=URL#claim=TOKEN npx vitest run tests/real/archive.test.ts
 * Ten thousand messages in forty conversations, written as the engine writes them.
 */
import { expect, test } from "vitest";
import { toHex } from "../../src/protocol/bytes.ts";
import type { Content } from "../../src/protocol/content.ts";
import { signingPublic } from "../../src/protocol/keys.ts";
import { AccountDesk } from "../../src/state/account/account.svelte.ts";
import { MemoryLocker } from "../../src/state/locker.ts";
import { MessengerDesk } from "../../src/state/messenger/messenger.svelte.ts";
import {
  names,
  newTalk,
  type IndexRecord,
  type PersonRecord,
  type TalkRecord,
} from "../../src/state/messenger/records.ts";
import { random } from "../../src/state/random.ts";
import { Wire } from "../../src/state/wire.ts";
import { PASSPHRASE, until } from "../state/fake/people.ts";
import { RealLine, type RealBox } from "./box.ts";

const link = process.env["ARCHIVE"];
const PEOPLE = 40;
const MESSAGES = 250;
const AT_ONCE = 50;

test("ten thousand messages", async () => {
  const url = new URL(link!);
  const account = new AccountDesk(new Wire(new RealLine({ url } as RealBox)), new MemoryLocker());
  const messenger = new MessengerDesk(account, { locks: undefined, channel: undefined }, { stock: 20 });
  const invite = url.hash.slice("#claim=".length);
  await account.signUp({ name: "ada", passphrase: PASSPHRASE, invite, label: "Filler" });
  await until(() => messenger.core?.upkeep.settled === true, 120_000);
  const { ledger } = messenger.core!;
  const start = Date.now() - PEOPLE * MESSAGES * 60_000;
  let number = 0;
  for (let one = 0; one < PEOPLE; one++) {
    const identity = signingPublic(random(32));
    const id = toHex(identity);
    const name = `friend${one}`;
    for (let done = 0; done < MESSAGES; done += AT_ONCE)
      await ledger.run((batch) => {
        if (done === 0) {
          batch.change<IndexRecord>(names.index, (now) => ({ v: 1, ids: [...(now?.ids ?? []), id] }));
          batch.change<PersonRecord>(names.person(id), () => ({
            v: 1,
            name,
            onion: `${"a".repeat(55)}d.onion`,
            identity,
            display: "",
            verified: false,
            entry: new Uint8Array(),
            checked: 0,
            change: null,
          }));
          batch.change<TalkRecord>(names.talk(id), () => newTalk("contact"));
        }
        for (let at = 0; at < AT_ONCE; at++) {
          const when = start + 60_000 * number++;
          const text = `Message ${number}: the tide turns at four, and the ferry waits for nobody.`;
          const content = { v: 1, id: random(16), sent: Math.floor(when / 1000), kind: "text", text };
          const event = { k: "m", at: when, by: at % 2 ? 1 : 0, c: content as unknown as Content } as const;
          batch.log(id, event);
          const line = messenger.core!.chats.line(event.c, when, event.by === 0);
          batch.talk(id, (talk) => ({ ...talk, last: line }));
        }
      });
  }
  expect(number).toBe(PEOPLE * MESSAGES);
  await messenger.core!.close(true);
}, 900_000);
