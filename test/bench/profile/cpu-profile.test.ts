import { expect, test } from "vitest";
import { bundleSources, type CpuProfile, selfTimes, totalTimes } from "./cpu-profile.ts";

const node = (id: number, functionName: string, children: number[], lineNumber = 0, url = "file:///x/agent/a.ts") => ({
  ...{ id, children, callFrame: { functionName, url, lineNumber } },
});
/** outer calls inner, which calls itself; a gap in which the thread had no processor, and idle time. */
const PROFILE: CpuProfile = {
  nodes: [
    node(1, "(root)", [2, 5], 0, ""),
    node(2, "outer", [3]),
    node(3, "inner", [4]),
    node(4, "inner", []),
    node(5, "(idle)", [], 0, ""),
  ],
  startTime: 0,
  endTime: 9_000,
  samples: [2, 3, 4, 4, 5],
  timeDeltas: [1_000, 1_000, 5_000, 1_000, 1_000],
};
const unknown = () => null;

test("a sample counts as much as any other, however long the thread had no processor; idle time does not", () => {
  expect(selfTimes(PROFILE, unknown)).toEqual([
    { where: "inner agent/a.ts:1", micros: 3_000 },
    { where: "outer agent/a.ts:1", micros: 1_000 },
  ]);
});

test("with what it calls, a function that calls itself counts once", () => {
  expect(totalTimes(PROFILE, unknown)).toEqual([
    { where: "outer agent/a.ts:1", micros: 4_000 },
    { where: "inner agent/a.ts:1", micros: 3_000 },
  ]);
});

test("a line of the Worker's bundle is named by its source file", () => {
  const sourceOf = bundleSources("// worker/a.ts\nx\ny\n// shared/b.ts\nz");
  expect([1, 3, 5].map(sourceOf)).toEqual(["worker/a.ts", "worker/a.ts", "shared/b.ts"]);
  const profile: CpuProfile = {
    ...PROFILE,
    nodes: [node(1, "f", [], 4, "script-0.mjs")],
    samples: [1],
    timeDeltas: [10],
  };
  expect(selfTimes(profile, sourceOf)).toEqual([{ where: "f shared/b.ts (bundle:5)", micros: 10 }]);
});
