/** Requests made to cost much: what they make D1 do is bounded, whatever they hold. */
import { describe, expect, it } from "vitest";
import type { LedgerRow } from "../../worker/ledger/ledger.ts";
import { bindings, connectEdge, event, ownIdStream, setupEdge, type TestEdge } from "./support/edge.ts";
import { type Step, tapRuntime } from "./support/tapped.ts";

const EVENTS = 2_000;
/** What six such requests leave. */
const GAPS = 3 * EVENTS - 1;
/** Statements that one invocation may make. */
const STATEMENTS_MAX = 600;

/** An edge whose steps are recorded, with a stream of own ids. */
async function recordedEdge(meter: string) {
  const stable = await setupEdge();
  expect((await stable.putCatalog({ streams: [ownIdStream(meter, "Id")] })).status).toBe(200);
  const steps: Step[] = [];
  const tapped = tapRuntime({ after: (step) => steps.push(step) });
  const edge = connectEdge(stable.tenant, { bindings: tapped.bindings });
  return {
    edge,
    statements: () => steps.flatMap((step) => step.statements ?? []).length,
    spent: (what: "duration" | "rows_read" | "rows_written") =>
      steps.flatMap((step) => step.meta ?? []).reduce((sum, meta) => sum + meta[what], 0),
    forget: () => {
      steps.length = 0;
    },
  };
}

const LENIENT = { prefer: "handling=lenient" };

/** Every second event has an own id that is known with other content. */
function conflictingBody(round: number): string {
  const events = Array.from({ length: EVENTS }, (_, i) =>
    event({ Id: i % 2 === 0 ? `known-${i}` : `new-${round}-${i}`, Quantity: i + round + 1 }),
  );
  return `[${events.join(",")}]`;
}

/** The own ids that the conflicting bodies name are known. */
async function knowIds(edge: TestEdge, meter: string): Promise<void> {
  const known = Array.from({ length: EVENTS / 2 }, (_, i) => event({ Id: `known-${2 * i}`, Quantity: 0 }));
  expect((await edge.post(meter, `[${known.join(",")}]`)).status).toBe(200);
}

describe("a lenient list in which every second own id conflicts", () => {
  it("costs a bounded number of statements, and leaves each gap", async () => {
    const { edge, statements, spent, forget } = await recordedEdge("conflicting");
    await knowIds(edge, "conflicting");
    forget();
    for (let round = 0; round < 6; round++) {
      const headers = { ...LENIENT, "weir-producer": "p", "weir-sequence": String(1 + round * EVENTS) };
      const answer = await edge.post("conflicting", conflictingBody(round), headers);
      expect(await answer.json()).toMatchObject({ accepted: EVENTS / 2, conflicts: EVENTS / 2 });
      if (round > 0) continue;
      console.log(
        `${EVENTS / 2} conflicts among ${EVENTS}: ${statements()} statements, ${spent("rows_written")} rows written, ` +
          `${spent("rows_read")} read, ${spent("duration")} ms of D1`,
      );
      expect(statements()).toBeLessThan(STATEMENTS_MAX);
    }

    forget();
    const items = await ledgerOf(edge, "producer=p");
    console.log(`its ${GAPS} gaps: ${spent("rows_read")} rows read, ${spent("duration")} ms of D1`);
    expect(items).toMatchObject([
      { accepted: GAPS + 1, conflicts: GAPS + 1, first_sequence: 2, last_sequence: 6 * EVENTS, gaps_total: GAPS },
    ]);
    expect(items[0]?.gaps.slice(0, 2)).toEqual([
      [3, 3],
      [5, 5],
    ]);
    expect(items[0]?.gaps).toHaveLength(1000);
    expect(spent("rows_read")).toBeLessThan(5_000);

    forget();
    const later = await ledgerOf(edge, "producer=p&gaps_after=10000");
    expect(later[0]?.gaps[0]).toEqual([10_001, 10_001]);
    expect(spent("rows_read")).toBeLessThan(5_000);
    expect(await countedSpans(edge)).toBe(GAPS + 1);
  });

  it("closes its gaps again, all in one request", async () => {
    const { edge, statements, forget } = await recordedEdge("closing");
    await knowIds(edge, "closing");
    const headers = { ...LENIENT, "weir-producer": "p", "weir-sequence": "1" };
    expect((await edge.post("closing", conflictingBody(0), headers)).status).toBe(200);
    forget();
    const filled = Array.from({ length: EVENTS }, (_, i) =>
      event({ Id: i % 2 === 0 ? `late-${i}` : `new-0-${i}`, Quantity: i + 1 }),
    );
    const answer = await edge.post("closing", `[${filled.join(",")}]`, headers);
    expect(await answer.json()).toMatchObject({ accepted: EVENTS / 2, duplicates: EVENTS / 2, conflicts: 0 });
    expect(statements()).toBeLessThan(STATEMENTS_MAX);
    expect(await ledgerOf(edge, "producer=p")).toMatchObject([
      { accepted: EVENTS, first_sequence: 1, last_sequence: EVENTS, gaps: [], gaps_total: 0 },
    ]);
    expect(await countedSpans(edge)).toBe(1);
  });
});

it("the ledger of many producers is read in pages, by no more rows than it shows", async () => {
  const { edge, spent, forget } = await recordedEdge("many");
  const rows = Array.from({ length: 2_500 }, (_, i) => `p${String(i).padStart(5, "0")}`);
  await bindings.LEDGER.batch([
    bindings.LEDGER.prepare(
      `INSERT INTO counters (tenant, stream, producer, accepted, spans)
      SELECT ?1, 'usage/many', value, 1, 1 FROM json_each(?2)`,
    ).bind(edge.tenant, JSON.stringify(rows)),
    bindings.LEDGER.prepare(
      `INSERT INTO ranges (tenant, stream, producer, first, last)
      SELECT ?1, 'usage/many', value, 7, 7 FROM json_each(?2)`,
    ).bind(edge.tenant, JSON.stringify(rows)),
  ]);
  const seen: (string | undefined)[] = [];
  let cursor = "";
  for (let pages = 0; pages < 10; pages++) {
    forget();
    const answer = await edge.request(`/admin/ledger?limit=1000${cursor}`);
    const { items, next } = await answer.json<{ items: LedgerRow[]; next: string | null }>();
    expect(spent("rows_read")).toBeLessThan(20_000);
    for (const row of items) expect(row).toMatchObject({ first_sequence: 7, last_sequence: 7, gaps_total: 0 });
    seen.push(...items.map(({ producer }) => producer));
    if (next === null) break;
    cursor = `&cursor=${next}`;
  }
  expect(seen).toEqual(rows);
});

async function ledgerOf(edge: TestEdge, query: string): Promise<LedgerRow[]> {
  return (await (await edge.request(`/ledger?${query}`)).json<{ items: LedgerRow[] }>()).items;
}

/** The ranges that a producer named p has, as they are counted beside it. */
async function countedSpans(edge: TestEdge): Promise<number | undefined> {
  const { results } = await bindings.LEDGER.prepare(
    `SELECT spans, (SELECT count(*) FROM ranges WHERE ranges.tenant = counters.tenant AND ranges.producer = 'p') AS held
    FROM counters WHERE tenant = ?1 AND producer = 'p'`,
  )
    .bind(edge.tenant)
    .all<{ spans: number; held: number }>();
  expect(results[0]?.spans).toBe(results[0]?.held);
  return results[0]?.spans;
}
