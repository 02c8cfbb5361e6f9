/** Tor's way to a reachable address as four steps. */
import type { TorState } from "../../../protocol/desk.ts";

const STEPS = ["start", "connect", "publish", "reachable"] as const;
const AT: Readonly<Record<TorState["phase"], number>> = {
  off: 0,
  failed: 0,
  restarting: 0,
  starting: 0,
  bootstrapping: 1,
  publishing: 2,
  reachable: 4,
};

export interface Step {
  name: (typeof STEPS)[number];
  state: "done" | "now" | "later";
}

/** The four steps, each done, under way or still to come. */
export function steps(phase: TorState["phase"]): Step[] {
  const at = AT[phase];
  return STEPS.map((name, index) => ({ name, state: index < at ? "done" : index === at ? "now" : "later" }));
}
