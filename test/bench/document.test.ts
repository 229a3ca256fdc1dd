import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "../support/markdown.ts";
import { documentText } from "./document.ts";
import { measured, type Sample } from "./measure.ts";
import { chosenRows, GROUPS, ROWS } from "./rows.ts";

const SAMPLE: Sample = {
  ...{ eventsPerSecond: 12_345, cpuMicrosPerEvent: 6, p50Ms: 1.5, p99Ms: 3, peakMb: 70, loadMicrosPerEvent: 1 },
};
const measuredAs = (name: string) => measured(name, "eventsPerSecond", [{ weir: SAMPLE, floor: SAMPLE }]);
const DOCUMENT = join(ROOT, "docs/performance.md");

test("the document names each row that there is, no other, and says of each what limits it now", () => {
  expect(existsSync(DOCUMENT)).toBe(true);
  const text = readFileSync(DOCUMENT, "utf8");
  const named = [...text.matchAll(/^(?:\| |- )`([^`]+)`/gm)].map(([, name = ""]) => name);
  const measuredGroups = GROUPS.filter((group) => text.includes(`<!-- bench ${group} -->`));
  const rows = ROWS.filter(({ group }) => measuredGroups.includes(group));
  expect(measuredGroups.length).toBeGreaterThan(0);
  expect([...new Set(named)].sort()).toEqual(rows.map(({ name }) => name).sort());
  expect(rows.filter(({ limit }) => !text.includes(`Limited by: ${limit}.`))).toEqual([]);
});

test("a group measured anew replaces its own section, and leaves the others as they were", () => {
  const [first, second] = ["agent", "packaged"].map((group) =>
    chosenRows([group]).rows.map(({ name }) => measuredAs(name)),
  );
  const both = documentText("", [...(first ?? []), ...(second ?? [])], "Measured then.");
  const again = documentText(both, first ?? [], "Measured now.");
  expect(again).toBe(both.replace("Measured then.", "Measured now."));
  expect(again).toContain("| `agent-100` | 12,345 | 1.50 | 3.00 | 6.00 | 70 |");
});

test("a group measured in part is not written", () => {
  expect(() => documentText("", [measuredAs("agent-100")], "")).toThrow("agent-1 is missing");
});

test("rows are chosen by name, group or the beginning of a name, and no two have the same", () => {
  const names = (...words: string[]) => chosenRows(words).rows.map(({ name }) => name);
  expect(names("agent-100")).toEqual(["agent-100"]);
  expect(names("agent")).toEqual(["agent-1", "agent-100", "agent-1000"]);
  expect(names("edge-ids-100", "edge-calculate")).toEqual(["edge-ids-100", "edge-ids-100-again", "edge-calculate"]);
  expect(names()).toEqual(ROWS.flatMap(({ name, group }) => (group === "ledger-size" ? [] : [name])));
  expect(new Set(ROWS.map(({ name }) => name)).size).toBe(ROWS.length);
  expect(chosenRows(["agent", "agnet"]).unknown).toBe("agnet");
});
