/** How an audit reads an edge's ledger that has more gaps than one answer lists. */
import { expect, test } from "vitest";
import { compareStream, fetchEdgeLedger, isEqual, type Range, type Snapshot } from "../../agent/operator/audit.ts";
import type { ExchangeResult, Transport } from "../../agent/upload/transport.ts";
import { digestHex, EMPTY_DIGEST, type LedgerDigest } from "../../shared/ledger-digest.ts";

const LISTED_MAX = 3;

interface EdgeSide {
  readonly gaps: readonly Range[];
  readonly last: number;
  readonly digest: string;
}

/** An edge that lists three gaps an answer; `sides` is what it has at each question, the last of them from then on. */
function edgeOf(sides: readonly EdgeSide[], pages = true): { transport: Transport; asked: string[] } {
  const asked: string[] = [];
  const send = async ({ path }: { path: string }): Promise<ExchangeResult> => {
    const side = sides[Math.min(asked.length, sides.length - 1)];
    if (side === undefined) throw new Error("no side");
    asked.push(path);
    const after = pages ? Number(new URL(path, "http://edge").searchParams.get("gaps_after") ?? 0) : 0;
    const row = {
      stream: "usage/m",
      first_sequence: 1,
      last_sequence: side.last,
      gaps: side.gaps.filter(([from]) => from > after).slice(0, LISTED_MAX),
      gaps_total: side.gaps.length,
      digest: side.digest,
      digested: 13,
    };
    const body = JSON.stringify({ items: [row] });
    return { kind: "answer", status: 200, retryAfter: null, etag: null, dateMs: null, repeated: false, body };
  };
  const pass = async () => ({ kind: "no-response", message: "not asked here" }) as const;
  return { transport: { send, pass, close: async () => {} }, asked };
}

const single = (...positions: number[]): Range[] => positions.map((position) => [position, position]);

const read = (transport: Transport) => fetchEdgeLedger(transport, "p", new AbortController().signal);

/** The agent delivered all of 1 to 20 but what it holds back. */
function agentSide(withheld: readonly Range[]): Snapshot {
  const quarantined = withheld.length;
  return {
    stream: "usage/m",
    last: 20,
    ledger: { accepted: 20, delivered: 20 - quarantined, pending: 0, quarantined, discarded: 0 },
    positions: { kind: "positions", pending: [], withheld },
  };
}

const HELD = single(2, 4, 6, 8, 10, 12, 14);

test("all gaps are read, page after page, and each difference behind the first page is named", async () => {
  const { transport, asked } = edgeOf([{ gaps: HELD, last: 20, digest: "" }]);
  const [row] = await read(transport);
  expect(row?.gaps).toEqual(HELD);
  expect(asked).toEqual([
    "/ledger?producer=p",
    "/ledger?producer=p&stream=usage%2Fm&gaps_after=6",
    "/ledger?producer=p&stream=usage%2Fm&gaps_after=12",
  ]);
  const { missing, extra, gaps_not_listed } = compareStream(agentSide(single(2, 4, 6, 8, 12, 14, 16)), row, null);
  expect({ missing, extra, gaps_not_listed }).toEqual({ missing: [[10, 10]], extra: [[16, 16]], gaps_not_listed: 0 });
});

test("a ledger that changes between two pages is read anew", async () => {
  const before = { gaps: HELD, last: 20, digest: "before" };
  const after = { gaps: single(2, 4, 6, 8), last: 20, digest: "after" };
  const { transport } = edgeOf([before, after]);
  expect(await read(transport)).toMatchObject([{ gaps: after.gaps, digest: "after" }]);
});

test("an edge that cannot page leaves its further gaps open: nothing behind them is called missing or extra", async () => {
  const { transport } = edgeOf([{ gaps: HELD, last: 20, digest: "d" }], false);
  const [row] = await read(transport);
  const audit = compareStream(agentSide(HELD), row, EMPTY_DIGEST);
  expect(audit).toMatchObject({ missing: [], extra: [], digest: "not compared", gaps_not_listed: 4 });
  expect(isEqual(audit)).toBe(false);
});

test("digests are compared where both cover the same events, and nowhere else", () => {
  const due = { high: 1, low: 2, count: 13 };
  const row = { stream: "usage/m", first_sequence: 1, last_sequence: 20, gaps: [...HELD] as [number, number][] };
  const digest = digestHex(due);
  const compared = (edge: object, own: LedgerDigest | null = due) =>
    compareStream(agentSide(HELD), { ...row, ...edge }, own).digest;
  expect(compared({ digest, digested: 13 })).toBe("equal");
  expect(compared({ digest: digest.replace("2", "3"), digested: 13 })).toBe("differs");
  // Some of them came before the edge kept this digest, or it is an older edge's, over ids; or the agent cannot say.
  expect(compared({ digest, digested: 12 })).toBe("not compared");
  expect(compared({ digest })).toBe("not compared");
  expect(compared({})).toBe("not compared");
  expect(compared({ digest, digested: 13 }, null)).toBe("not compared");
});
