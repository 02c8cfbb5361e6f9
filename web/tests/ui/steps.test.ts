import { expect, test } from "vitest";
import { steps } from "../../src/ui/pages/home/steps.ts";

test.each([
  ["starting", "now later later later"],
  ["bootstrapping", "done now later later"],
  ["publishing", "done done now later"],
  ["reachable", "done done done done"],
] as const)("%s: %s", (phase, states) => {
  expect(
    steps(phase)
      .map((step) => step.state)
      .join(" "),
  ).toBe(states);
});
