/** What a ledger from before lanes were kept holds, it delivers after its migration. */
import { applyD1Migrations } from "cloudflare:test";
import { expect, it } from "vitest";
import { hashApiKey } from "../../worker/accounts/key-hash.ts";
import { ENTRY_STATUS, encodeEntries } from "../../worker/ledger/entries.ts";
import { createRowId } from "../../worker/ledger/row-id.ts";
import { bindings, connectEdge, events } from "./support/edge.ts";

const TENANT = "from-before";
const METER = "from-before-lanes";
const STREAM = `usage/${METER}`;

/** Runs a statement of the ledger as it was. */
const run = (sql: string, ...values: unknown[]) =>
  bindings.LEDGER.prepare(sql)
    .bind(...values)
    .run();

async function addBatch(id: number, context: string, texts: readonly string[]): Promise<void> {
  const entries = encodeEntries(
    texts.map((text, i) => ({
      hash: new Uint8Array(16).fill(i + 1),
      length: text.length,
      ordinal: i,
      status: ENTRY_STATUS.stored,
    })),
  );
  await run(
    `INSERT INTO batches (id, nonce, tenant, stream, context, received_at, entries, payload)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)`,
    ...[id, `nonce-${id}`, TENANT, STREAM, context, Date.now(), entries, texts.join(",")],
  );
}

it("what waited before lanes were kept, packed, in doubt or held, is delivered once after the migration", async () => {
  const at = bindings.TEST_MIGRATIONS.findIndex(({ name }) => name.includes("lanes"));
  expect(at).toBeGreaterThan(0);
  await applyD1Migrations(bindings.LEDGER, bindings.TEST_MIGRATIONS.slice(0, at));
  await run(
    `INSERT INTO api_keys (id, hash, tenant, name, permissions, created_at) VALUES ('old', ?1, ?2, 'old', ?3, 0)`,
    ...[hashApiKey(`key-of-${TENANT}`), TENANT, JSON.stringify(["METER_DATA.INGEST", "WEIR.ADMIN"])],
  );
  const [sent, ...unpacked] = [0, 1, 2].map((n) => events(3, 10 * n));
  const ids = [0, 1, 2].map((n) => createRowId(Date.now() - 60_000 + n, 0.5));
  const E1 = JSON.stringify({ entity: "e1" });
  await addBatch(ids[0] ?? 0, E1, sent ?? []);
  for (const [i, texts] of unpacked.entries()) {
    const id = ids[i + 1] ?? 0;
    await addBatch(id, i === 0 ? E1 : "", texts);
    await run(
      "INSERT INTO outbox (tenant, stream, batch, context, entries, events, bytes) VALUES (?1, ?2, ?3, ?4, 3, 3, ?5)",
      ...[TENANT, STREAM, id, i === 0 ? E1 : "", texts.join(",").length],
    );
  }
  await run(
    `INSERT INTO shipments (tenant, stream, context, call_key, parts, events, state, attempts, in_flight, lease_until, created_at)
    VALUES (?1, ?2, ?3, 'old-call', ?4, 3, 'open', 1, 1, 1, 0)`,
    ...[TENANT, STREAM, E1, JSON.stringify([[ids[0], 0, 2, 3]])],
  );
  await run("INSERT INTO counters (tenant, stream, producer, accepted) VALUES (?1, ?2, '', 9)", TENANT, STREAM);
  await run("INSERT INTO holds (scope, until, reason) VALUES ('zuora', ?1, 'as it was')", Date.now() + 3_600_000);

  await applyD1Migrations(bindings.LEDGER, bindings.TEST_MIGRATIONS);
  const edge = connectEdge(TENANT);
  await edge.services.delivery.sweep();
  expect(await edge.ledger()).toMatchObject([{ stream: STREAM, accepted: 9, delivered: 9, pending: 0 }]);
  expect((await edge.twinEvents(METER)).sort()).toEqual([...(sent ?? []), ...unpacked.flat()].sort());
  // The call from before went as it was fixed; what was not packed went by lanes.
  const { results } = await bindings.LEDGER.prepare(
    "SELECT call_key = 'old-call' AS is_old, context, attempts, outcome_unknown FROM shipments ORDER BY id",
  ).all();
  expect(results).toEqual([
    { is_old: 1, context: E1, attempts: 2, outcome_unknown: 1 },
    expect.objectContaining({ is_old: 0, attempts: 1 }),
    expect.objectContaining({ is_old: 0, attempts: 1 }),
  ]);
});
