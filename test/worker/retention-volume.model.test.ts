/** A million events: what may leave the ledger leaves it, what must stay stays, and the room is used again. */
import { expect, it } from "vitest";
import { createLedgerSize } from "../../worker/database/ledger-size.ts";
import { createArchive } from "../../worker/retention/archive.ts";
import { createRetention } from "../../worker/retention/retention.ts";
import { modelRuns } from "../support/model-runs.ts";
import { bindings, connectEdge, event, setupEdge, type TestEdge } from "./support/edge.ts";
import { fillings, KEYED, LARGE, type LedgerSize } from "./support/large-ledger.ts";
import { type Step, tapRuntime } from "./support/tapped.ts";

const DAY_MS = 86_400_000;
const NOW = Date.parse("2026-11-21T12:00:00Z");
const EVENTS_A_BATCH = 1_000;
const PENDING = 5;
const QUARANTINED = 20;

const sizeOf = (tenant: string, batches: number, now: number): LedgerSize => ({
  ...{
    tenant,
    batches,
    eventsABatch: EVENTS_A_BATCH,
    producers: 10,
    keys: batches * 20,
    facts: batches * 10,
    gaps: 10,
  },
  ...{ pending: PENDING, quarantined: QUARANTINED, now, spanMs: 10 * DAY_MS },
});

async function fill(size: LedgerSize): Promise<void> {
  for (const { sql, values } of fillings(size))
    await bindings.LEDGER.prepare(sql)
      .bind(...values)
      .run();
}

async function count(sql: string, ...values: string[]): Promise<number> {
  return (
    (await bindings.LEDGER.prepare(`SELECT count(*) AS n FROM ${sql}`)
      .bind(...values)
      .first<number>("n")) ?? 0
  );
}

/** Runs retention on a tapped database until nothing is left, and says what it cost. */
async function retain(now: number) {
  const steps: Step[] = [];
  const { LEDGER } = tapRuntime({ after: (step) => steps.push(step) }).bindings;
  const size = createLedgerSize(bindings.LEDGER, 9e9, () => now);
  const archive = createArchive(bindings.ARCHIVE);
  const retention = createRetention({ db: LEDGER, archive, retainDays: 30, size, now: () => now });
  let batches = 0;
  let bytes = 0;
  let runs = 0;
  for (let isLeft = true; isLeft; runs++) {
    const run = await retention.sweep();
    batches += run.batches;
    bytes += run.bytes;
    isLeft = run.isLeft;
    expect(runs).toBeLessThan(1_000);
  }
  const metas = steps.flatMap(({ meta }) => meta ?? []);
  // A batch holds D1 for all its statements.
  const held = steps.map(({ meta }) => (meta ?? []).reduce((sum, { duration }) => sum + duration, 0));
  const rowsWritten = metas.reduce((sum, meta) => sum + meta.rows_written, 0);
  return { batches, bytes, runs, rowsWritten, statements: metas.length, heldMs: Math.max(...held) };
}

async function postLarge(edge: TestEdge, producer: string, first: number): Promise<Record<string, number>> {
  const body = `[${Array.from({ length: EVENTS_A_BATCH }, () => event()).join(",")}]`;
  const headers = { "weir-producer": producer, "weir-sequence": String(first), prefer: "handling=lenient" };
  const answer = await edge.post(LARGE.slice("usage/".length), body, headers);
  expect(answer.status).toBe(200);
  return answer.json();
}

it("of a ledger of a million events all payload that may go goes, in slices, and its pages take as many again", async () => {
  const batches = modelRuns({ full: 1_000, short: 60 });
  const edge = await setupEdge({ bindings: { ARCHIVE: bindings.ARCHIVE } });
  const streams = [
    { meter_global_id: LARGE.slice("usage/".length) },
    { meter_global_id: KEYED.slice("usage/".length) },
  ];
  await edge.putCatalog({ streams });
  const { ledgerSize } = edge.services;
  const empty = await ledgerSize.read();
  await fill(sizeOf(edge.tenant, batches, NOW));
  const full = await ledgerSize.read();
  const before = await edge.ledger();
  const keys = await count("keys");

  const cost = await retain(NOW + 31 * DAY_MS);
  const after = await ledgerSize.read();
  const keyedBatches = (batches * 20) / 10;
  const stay = PENDING + QUARANTINED / 2;
  expect(cost.batches).toBe(batches + keyedBatches - stay);
  expect(await count("batches WHERE tenant = ?1 AND payload <> ''", edge.tenant)).toBe(stay);
  expect(await count("batches WHERE tenant = ?1", edge.tenant)).toBe(batches + keyedBatches);
  expect(await edge.ledger()).toEqual(before);
  expect(await count("keys")).toBe(keys);
  expect(await count("quarantine WHERE tenant = ?1", edge.tenant)).toBe(QUARANTINED);
  expect(await count("outbox WHERE tenant = ?1", edge.tenant)).toBe(PENDING);
  expect(await count("facts WHERE tenant = ?1", edge.tenant)).toBe(batches * 10);

  // A repeat of all that one producer ever sent, with other bytes even: nobody can tell any more.
  const repeated = await postLarge(edge, "p3", 1);
  expect(repeated).toMatchObject({ accepted: 0, duplicates: EVENTS_A_BATCH });
  const read = async (query: string) =>
    (await edge.request(`/admin/events?${query}`)).json<{ items: { event: { Quantity: number }; state: string }[] }>();
  const { items } = await read(`stream=${LARGE}&producer=p4&limit=1000`);
  expect(items).toHaveLength(1_000);
  expect(items.at(-1)).toMatchObject({ state: "delivered", event: { Quantity: 1_000_999 } });

  const another = connectEdge(`${edge.tenant}-2`);
  await fill(sizeOf(another.tenant, batches, NOW + 31 * DAY_MS));
  const again = await ledgerSize.read();
  const figures = {
    events: batches * EVENTS_A_BATCH,
    ...{ "MB before": full / 1e6, "MB after": after / 1e6, "MB with as many again": again / 1e6 },
    "rows written an event": cost.rowsWritten / (batches * EVENTS_A_BATCH + batches * 20),
    "rows written a batch": cost.rowsWritten / cost.batches,
    ...{ "MB of payload": cost.bytes / 1e6, "longest hold of D1, ms": cost.heldMs, statements: cost.statements },
  };
  console.log(JSON.stringify(figures));
  // Beside what may not go: batches of 110 KB of events and 25 KB of entries.
  expect(after - empty - stay * 150_000).toBeLessThan((full - empty) * 0.15);
  // What stays of the first million is little; the second takes the pages that the first left.
  expect(again - full).toBeLessThan((after - empty) * 1.1);
  expect(figures["rows written a batch"]).toBeLessThan(3);
});

it("a ledger at LEDGER_BYTES_MAX says 507, delivers, and takes events again once retention made room", async () => {
  let now = NOW;
  const meter = "full-and-back";
  const runtime = { clock: { now: () => now } };
  const stable = await setupEdge({ runtime });
  await stable.putCatalog({ streams: [{ meter_global_id: meter }] });
  await bindings.LEDGER.prepare("DELETE FROM retention").run();
  const room = String((await stable.services.ledgerSize.read()) + 2_000_000);
  const edge = connectEdge(stable.tenant, {
    runtime,
    vars: { LEDGER_BYTES_MAX: room },
    bindings: { ARCHIVE: bindings.ARCHIVE },
  });
  const body = `[${Array.from({ length: EVENTS_A_BATCH }, () => event()).join(",")}]`;
  const post = (first: number) =>
    edge.post(meter, body, { "weir-producer": "p", "weir-sequence": String(first), prefer: "handling=lenient" });
  let taken = 0;
  while ((await post(taken + 1)).status === 200) {
    taken += EVENTS_A_BATCH;
    expect(taken).toBeLessThan(100 * EVENTS_A_BATCH);
  }
  expect(taken).toBeGreaterThan(3 * EVENTS_A_BATCH);
  const refused = await post(taken + 1);
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([507, "60"]);

  for (let sweeps = 0; sweeps < 20; sweeps++) await edge.services.delivery.sweep();
  expect(await edge.ledger()).toMatchObject([{ accepted: taken, delivered: taken, pending: 0 }]);
  expect((await post(taken + 1)).status).toBe(507);

  now += 31 * DAY_MS;
  await edge.services.retention.sweep();
  const first = await post(1);
  expect([first.status, await first.json()]).toMatchObject([200, { accepted: 0, duplicates: EVENTS_A_BATCH }]);
  expect((await post(taken + 1)).status).toBe(200);
  expect(await edge.ledger()).toMatchObject([{ accepted: taken + EVENTS_A_BATCH, gaps: [] }]);
});
