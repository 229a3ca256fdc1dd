import { createColors } from "picocolors";
import { expect, test } from "vitest";
import type { EdgeRow } from "../../tools/reconcile/ledgers.ts";
import { type Snapshot, summaryLine, summaryLines } from "../../tools/start/summary.ts";
import { Repaint } from "../../tools/terminal/repaint.ts";

const HOP = { accepted: 1200, pending: 0, delivered: 1200, quarantined: 0, discarded: 0 };
const ROW: EdgeRow = { ...HOP, stream: "usage/m", duplicates: 0, conflicts: 0, gaps: [] };
const IN_STEP: Snapshot = {
  ledgers: {
    agent: { producer: "p", ledger: HOP },
    edge: [ROW],
    twin: { requests: 1, events: 200, distinct: 200, by_stream: {} },
  },
  rates: { agent: 200, edge: 200, twin: 200 },
  fed: 200,
  total: 10_000,
  deliveredBefore: 1_000,
};
const plain = (snapshot: Snapshot) => summaryLines(snapshot, createColors(false));

test("ledgers are in step when the twin has all that this run delivered", () => {
  expect(plain(IN_STEP).at(-1)).toContain("in step");
  expect(plain({ ...IN_STEP, deliveredBefore: 999 }).at(-1)).toContain("delivered 201, the twin has 200");
});

test("what is on its way is counted over both hops", () => {
  const ledgers = {
    ...IN_STEP.ledgers,
    agent: { producer: "p", ledger: { ...HOP, pending: 2 } },
    edge: [{ ...ROW, pending: 3 }],
  };
  expect(plain({ ...IN_STEP, ledgers }).at(-1)).toContain("5 on their way");
});

test("a part that does not answer is shown so, in both forms", () => {
  const down = { ...IN_STEP, ledgers: { ...IN_STEP.ledgers, edge: null } };
  expect(plain(down).at(-1)).toContain("does not answer");
  expect(summaryLine(down)).toContain("edge does not answer");
});

test("a block is drawn over itself and never wraps", () => {
  let written = "";
  const repaint = new Repaint({ columns: 6, rows: 10, write: (text) => (written += text) });
  repaint.draw(["first line", "b"]);
  expect(written).toBe("first\nb\n");
  written = "";
  repaint.draw(["c"]);
  expect(written).toBe("\u001b[2A\r\u001b[Jc\n");
});
