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
  fed: 1_200,
  total: 1_200,
  deliveredBefore: 1_000,
};
const ledgersWith = (ledgers: Partial<Snapshot["ledgers"]>) => ({ ledgers: { ...IN_STEP.ledgers, ...ledgers } });
const plain = (snapshot: Snapshot) => summaryLines(snapshot, createColors(false));

test("ledgers are in step when the twins have all that was delivered, this one and those before it", () => {
  expect(plain(IN_STEP).at(-1)).toContain("in step");
  expect(plain({ ...IN_STEP, deliveredBefore: 999 }).at(-1)).toContain("delivered 1,200, the twin has 1,199");
});

test("the numbers shown are equal where it says in step, also after a start that found delivered events", () => {
  const shown = plain(IN_STEP);
  const row = (name: string) => shown.find((line) => line.startsWith(name))?.split(/\s{2,}/);
  expect([row("agent")?.[3], row("edge")?.[1], row("edge")?.[3], row("twin")?.[1]]).toEqual(Array(4).fill("1,200"));
  expect(shown.join("\n")).toContain("of these, 1,000 went to the twin in earlier runs");
});

test.each<[string, Partial<Snapshot["ledgers"]>, string]>([
  [
    "another tenant's events at the twin",
    { twin: { requests: 1, events: 203, distinct: 203, by_stream: {} } },
    "the edge has delivered 1,200, the twin has 1,203 (events of another tenant",
  ],
  [
    "a twin that began anew",
    { twin: { requests: 0, events: 0, distinct: 0, by_stream: {} } },
    "the edge has delivered 1,200, the twin has 1,000 (events that this twin does not have)",
  ],
  [
    "an agent that began anew",
    { agent: { producer: "p", ledger: { ...HOP, accepted: 10, delivered: 10 } } },
    "the agent has delivered 10, the edge has accepted 1,200 (events that came to the edge by another way",
  ],
  [
    "repeats that the edge folded",
    { agent: { producer: "p", ledger: { ...HOP, accepted: 1203, delivered: 1203 } } },
    "the agent has delivered 1,203, the edge has accepted 1,200 (repeats that the edge folded",
  ],
])("%s are not in step, and it says how the numbers differ", (_, ledgers, says) => {
  const last = plain({ ...IN_STEP, ledgers: { ...IN_STEP.ledgers, ...ledgers } }).at(-1);
  expect(last).toContain(says);
  expect(last).not.toContain("in step");
});

test("while the sample flows nothing is called in step, however equal the numbers are at the moment", () => {
  const last = plain({ ...IN_STEP, fed: 1_200, total: 10_000 }).at(-1);
  expect(last).toBe("flowing: 0 on their way");
  expect(plain(IN_STEP).at(-1)).toContain("finished");
});

test.each<[string, Partial<Snapshot>, string]>([
  [
    "an agent with an event in quarantine",
    ledgersWith({ agent: { producer: "p", ledger: { ...HOP, accepted: 1201, quarantined: 1 } } }),
    "the agent holds 1 in quarantine",
  ],
  [
    "an edge with an event in quarantine and one discarded",
    ledgersWith({
      agent: { producer: "p", ledger: { ...HOP, accepted: 1202, delivered: 1202 } },
      edge: [{ ...ROW, accepted: 1202, quarantined: 1, discarded: 1 }],
    }),
    "the edge holds 1 in quarantine; 1 were discarded at the edge",
  ],
  ["a buffer that was removed", { fed: 1_300, total: 1_300 }, "fed were 1,300, the agent has accepted 1,200"],
])("%s is not in step, since the numbers shown differ", (_, changed, says) => {
  const last = plain({ ...IN_STEP, ...changed }).at(-1);
  expect(last).toContain(says);
  expect(last).not.toContain("in step");
});

test("the one line of a log says it too", () => {
  expect(summaryLine(IN_STEP)).toContain("| finished and in step");
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
