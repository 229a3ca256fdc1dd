import { expect, test } from "vitest";
import type { EdgeRow, Ledgers } from "../../tools/reconcile/ledgers.ts";
import { differences } from "../../tools/reconcile/reconcile.ts";

const LINES = ["a", "b", "b"];
const HOP = { accepted: 3, pending: 0, delivered: 3, quarantined: 0, discarded: 0 };
const ROW: EdgeRow = { ...HOP, stream: "usage/m", duplicates: 1, conflicts: 0, gaps: [] };
const COUNTS = { events: 3, distinct: 2 };
const EQUAL: Ledgers = {
  agent: { producer: "p", ledger: HOP },
  edge: [ROW],
  twin: { requests: 1, ...COUNTS, by_stream: { "usage/m": COUNTS } },
};

const reconcile = (ledgers: Ledgers, received: string[] = ["b", "a", "b"]) =>
  differences({ stream: "usage/m", lines: LINES }, { ledgers, received });

test("ledgers that agree differ in nothing, whatever the order and the repeats folded on the way", () => {
  expect(reconcile(EQUAL)).toEqual([]);
});

test.each<[string, Ledgers, RegExp]>([
  ["an agent that lacks one", { ...EQUAL, agent: { producer: "p", ledger: { ...HOP, delivered: 2 } } }, /agent's del/],
  ["an edge with something under way", { ...EQUAL, edge: [{ ...ROW, pending: 1 }] }, /edge's pending: 1/],
  ["a gap", { ...EQUAL, edge: [{ ...ROW, gaps: [[2, 2]] }] }, /gaps: 1/],
  ["an edge that knows nothing", { ...EQUAL, edge: [] }, /no ledger/],
  ["an agent that does not answer", { ...EQUAL, agent: null }, /does not answer/],
  [
    "a twin with one too many",
    { ...EQUAL, twin: { requests: 1, ...COUNTS, by_stream: { "usage/m": { events: 4, distinct: 2 } } } },
    /twin: 4/,
  ],
])("%s is named", (_, ledgers, difference) => {
  expect(reconcile(ledgers)).toEqual([expect.stringMatching(difference)]);
});

test("equal counts with another text differ", () => {
  expect(reconcile(EQUAL, ["a", "a", "b"])).toEqual([
    expect.stringContaining("lacks 1"),
    expect.stringContaining("1 events that were never fed"),
  ]);
});
