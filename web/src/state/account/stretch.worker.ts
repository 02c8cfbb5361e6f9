/** Slow things of the account (Argon2id), away from the page's own thread. */
import type { Kdf } from "../../protocol/account.ts";
import type { WorkChallenge } from "../../protocol/route.ts";
import { stretch } from "../../protocol/stretching.ts";
import { solve } from "../../protocol/work.ts";

export type Task = { passphrase: string; kdf: Kdf } | { challenge: WorkChallenge };
export type Report = { share: number } | { result: unknown } | { failed: string };

const tell = (report: Report): void => self.postMessage(report);

self.onmessage = (event: MessageEvent<Task>): void => {
  const task = event.data;
  const running: Promise<unknown> =
    "challenge" in task
      ? solve(task.challenge)
      : stretch(task.passphrase, task.kdf, (share) => tell({ share }));
  running.then(
    (result) => tell({ result }),
    (error: unknown) => tell({ failed: (error as { code?: string }).code ?? "fault" }),
  );
};
