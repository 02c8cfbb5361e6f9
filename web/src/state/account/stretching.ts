/** Stretching a passphrase and solving puzzles in a Worker; on the page's own thread where there is none. */
import type { Kdf } from "../../protocol/account.ts";
import type { WorkChallenge, WorkSolution } from "../../protocol/route.ts";
import { stretch as stretchHere, type Stretched } from "../../protocol/stretching.ts";
import { solve as solveHere } from "../../protocol/work.ts";
import { Refusal } from "../api.ts";
import type { Report, Task } from "./stretch.worker.ts";

export type { Stretched };

/** Both keys of a passphrase; `progress` hears the share done. */
export function stretch(passphrase: string, kdf: Kdf, progress: (share: number) => void): Promise<Stretched> {
  return inWorker<Stretched>({ passphrase, kdf }, progress, () => stretchHere(passphrase, kdf, progress));
}

/** The answer to a puzzle. */
export function solve(challenge: WorkChallenge): Promise<WorkSolution> {
  return inWorker<WorkSolution>(
    { challenge },
    () => {},
    () => solveHere(challenge),
  );
}

async function inWorker<T>(
  task: Task,
  progress: (share: number) => void,
  here: () => Promise<T>,
): Promise<T> {
  let worker: Worker;
  try {
    worker = new Worker(new URL("./stretch.worker.ts", import.meta.url), { type: "module" });
  } catch {
    return here();
  }
  try {
    return await new Promise<T>((done, failed) => {
      worker.onmessage = (event: MessageEvent<Report>) => {
        const report = event.data;
        if ("share" in report) progress(report.share);
        else if ("result" in report) done(report.result as T);
        else failed(new Refusal(report.failed, "", 0));
      };
      worker.onerror = () => failed(undefined);
      worker.postMessage(task);
    });
  } catch (error) {
    // A Worker that could not be loaded says nothing; the page's own thread can do the same more slowly.
    if (error === undefined) return here();
    throw error;
  } finally {
    worker.terminate();
  }
}
