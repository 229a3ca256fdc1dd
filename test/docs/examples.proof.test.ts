/** The documents' examples print what stands below them. */
import { test } from "vitest";
import { edgeAlone, everything, runExamples } from "./run-examples.ts";

test.each([
  ["docs/agent.md", everything],
  ["docs/operating.md", everything],
  ["docs/catalog-and-pricing.md", edgeAlone],
] as const)("the examples of %s print what stands below them", runExamples);
