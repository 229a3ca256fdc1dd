/** A ledger near its bound takes no new events and does everything else. */
import { expect, it } from "vitest";
import { type EdgeOptions, event, events, setupEdge } from "./support/edge.ts";

const SOLVIMON_CHARGE = JSON.stringify({ reference: "charge-1" });

/** An edge whose clock is moved by hand, and which takes so many bytes beyond what the ledger has now. */
async function edgeWithRoom(meter: string, room: number, options: EdgeOptions = {}) {
  const probe = await setupEdge();
  let now = Date.now();
  const used = await probe.services.ledgerSize.read();
  const edge = await setupEdge({
    ...options,
    vars: { ...options.vars, LEDGER_BYTES_MAX: String(used + room) },
    runtime: { clock: { now: () => now } },
  });
  await edge.putCatalog({ streams: [{ meter_global_id: meter }] });
  return { edge, used, advance: (ms: number) => (now += ms) };
}

it("an ingest is answered 507 in its dialect from LEDGER_BYTES_MAX on, and what was taken is delivered", async () => {
  const { edge } = await edgeWithRoom("near-full", 100_000);
  let taken = 0;
  let answer = await edge.post("near-full", `[${events(1_000).join(",")}]`);
  for (; answer.status === 200; answer = await edge.post("near-full", `[${events(1_000, taken).join(",")}]`)) {
    taken += 1_000;
    expect(taken).toBeLessThan(20_000);
  }
  expect(taken).toBeGreaterThan(0);
  expect(answer.status).toBe(507);
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(await answer.json()).toMatchObject({ success: false, message: expect.stringContaining("the ledger is full") });

  const charge = await edge.request("/v1/ingest/charge-data", { method: "POST", body: SOLVIMON_CHARGE });
  expect(charge.status).toBe(507);
  expect(await charge.json()).toMatchObject({ code: "INTERNAL_ERROR", message: expect.any(String) });

  await edge.services.delivery.sweep();
  expect(await edge.ledger()).toMatchObject([{ accepted: taken, delivered: taken, pending: 0 }]);
  expect((await edge.putCatalog({ streams: [{ meter_global_id: "another" }] })).status).toBe(200);
  expect(await (await edge.request("/readyz")).json()).toMatchObject({
    status: "full",
    ledger: { state: "full", bytes: expect.any(Number) },
  });
});

it("an ingest is taken again once room was made, without a restart", async () => {
  const { edge, advance } = await edgeWithRoom("recovers", 0);
  const full = edge.services.ledgerSize;
  full.noteFull();
  expect((await edge.post("recovers", `[${event()}]`)).status).toBe(507);
  advance(5_000);
  // Nothing was made room for yet: the database itself says so.
  expect((await edge.post("recovers", `[${event()}]`)).status).toBe(507);
  const roomy = await edgeWithRoom("recovers-2", 10_000_000);
  roomy.edge.services.ledgerSize.noteFull();
  expect((await roomy.edge.post("recovers-2", `[${event()}]`)).status).toBe(507);
  roomy.advance(5_000);
  expect((await roomy.edge.post("recovers-2", `[${event()}]`)).status).toBe(200);
});

it("a write that D1 refuses for its size is 507 at once, not a failure that is tried again", async () => {
  let writes = 0;
  const stable = await setupEdge();
  const db = stable.services.bindings.LEDGER;
  const LEDGER = {
    prepare: (sql: string) => db.prepare(sql),
    async batch(statements: D1PreparedStatement[]) {
      writes++;
      if (writes > 0 && statements.length > 2) throw new Error("D1_ERROR: Exceeded maximum DB size");
      return db.batch(statements);
    },
  } as D1Database;
  const edge = await setupEdge({ bindings: { LEDGER } });
  await edge.putCatalog({ streams: [{ meter_global_id: "d1-full" }] });
  writes = 0;
  expect((await edge.post("d1-full", `[${event()}]`)).status).toBe(507);
  expect(writes).toBe(1);
});

it("the size that D1 tells counts pages in use, so that freed ones are room again", async () => {
  const { services } = await setupEdge();
  const db = services.bindings.LEDGER;
  await db.prepare("CREATE TABLE filled (text TEXT)").run();
  const before = await services.ledgerSize.read();
  await db.prepare("INSERT INTO filled VALUES (?1)").bind("x".repeat(1_000_000)).run();
  const filled = await services.ledgerSize.read();
  expect(filled - before).toBeGreaterThan(990_000);
  await db.prepare("DELETE FROM filled").run();
  expect((await services.ledgerSize.read()) - before).toBeLessThan(20_000);
  await db.prepare("DROP TABLE filled").run();
});
