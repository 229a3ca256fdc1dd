/** What waits in thousands: how few calls it leaves in, and what it costs to say that it waits. */
import { expect, it } from "vitest";
import { TOTALS } from "../../worker/ledger/stats-sql.ts";
import { bindings, connectEdge, setupEdge } from "./support/edge.ts";
import { fillings, LARGE, type LedgerSize } from "./support/large-ledger.ts";
import { tapRuntime } from "./support/tapped.ts";

const WAITING: Omit<LedgerSize, "tenant"> = {
  ...{ batches: 2_000, eventsABatch: 1, producers: 10, pending: 2_000, now: Date.parse("2026-11-21T12:00:00Z") },
  ...{ spanMs: 1_800_000, keys: 0, facts: 0, gaps: 0, quarantined: 0 },
};

it("two thousand batches of one event each leave in one call", async () => {
  const { tenant } = await setupEdge();
  const filled = fillings({ ...WAITING, tenant }).map(({ sql, values }) =>
    bindings.LEDGER.prepare(sql).bind(...values),
  );
  for (const statement of filled) await statement.run();
  const fetched: string[] = [];
  const tapped = tapRuntime({ before: ({ name }) => void (name.startsWith("fetch ") && fetched.push(name)) });
  const edge = connectEdge(tenant, { bindings: tapped.bindings, runtime: { fetch: tapped.fetch } });
  await edge.services.delivery.sweep();
  const rows = await edge.ledger();
  expect(rows.reduce((sum, { delivered }) => sum + delivered, 0)).toBe(2_000);
  expect(fetched.filter((name) => !name.includes("token"))).toHaveLength(1);
});

it("the metrics look at a thousand open calls of a stream, however many there are", async () => {
  const { tenant } = await setupEdge();
  await bindings.LEDGER.prepare("INSERT INTO counters (tenant, stream, producer) VALUES (?1, ?2, '')")
    .bind(tenant, LARGE)
    .run();
  const read = async () => {
    const { results, meta } = await TOTALS.bind(bindings.LEDGER, { count: 5_000 }).all<{ open_shipments: number }>();
    return { open: results.map((row) => row.open_shipments), rows: meta.rows_read };
  };
  const open = (count: number) =>
    bindings.LEDGER.prepare(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${count})
      INSERT INTO shipments (tenant, stream, context, call_key, parts, events, state, created_at)
      SELECT ?1, ?2, '', hex(randomblob(8)), '[[1,0,0,1]]', 1, 'open', 0 FROM n`)
      .bind(tenant, LARGE)
      .run();
  await open(1_200);
  const few = await read();
  await open(3_600);
  const many = await read();
  expect(few.open).toContain(1_000);
  expect(many).toEqual(few);
});
