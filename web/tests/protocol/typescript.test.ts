/**
 * What this implementation makes for Python to check: `tests/vectors/typescript.json`.
 *
 * `WRITE_VECTORS=1 npx vitest run tests/protocol/typescript.test.ts` writes the file; otherwise it is compared.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { WEB } from "../vectors.ts";
import * as account from "./made/account.ts";
import { content } from "./made/contents.ts";
import * as channels from "./made/channels.ts";
import * as directory from "./made/directory.ts";
import * as sessions from "./made/sessions.ts";

const FILE = join(WEB, "../tests/vectors/typescript.json");

test("the file holds what would be written", { timeout: 60_000 }, async () => {
  const made = {
    about: "Made by web/tests/protocol/made; the shapes are those of the files with the same names.",
    passphrase: await account.passphrase(),
    backup_code: account.backupCode(),
    link: account.link(),
    record: await account.record(),
    safety: account.safety(),
    prekeys: directory.prekeys(),
    certificate: directory.certificate(),
    transparency: directory.transparency(),
    pqxdh: sessions.pqxdh(),
    ratchet: sessions.ratchet(),
    peer: sessions.peer(),
    signals: sessions.signals(),
    content: content(),
    channel_content: channels.channelContents(),
    roster: channels.rosters(),
    sender_keys: await channels.senderKeys(),
  };
  const text = `${JSON.stringify(made, null, 1)}\n`;
  if (process.env["WRITE_VECTORS"]) writeFileSync(FILE, text);
  expect(readFileSync(FILE, "utf8") === text).toBe(true);
});
