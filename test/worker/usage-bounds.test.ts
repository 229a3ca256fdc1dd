/** Usage that is meant to harm: what one event may say is bounded, and what was stored before that kills nobody's folding. */
import { expect, it, onTestFinished, vi } from "vitest";
import { calculate, costOf, ingest, meterData, pricedCatalog } from "./support/calculation.ts";
import { bindings, event, setupEdge, type TestEdge } from "./support/edge.ts";

const FLAT = {
  MAX: [
    {
      ...{ id: "flat", pricing_type: "FLAT", currency: "EUR", billing_period: { type: "MONTH", value: 1 } },
      bands: [{ amount: "1" }],
    },
  ],
};

async function pricedEdge(options: Parameters<typeof setupEdge>[0] = {}): Promise<TestEdge> {
  const edge = await setupEdge(options);
  expect((await edge.putCatalog(pricedCatalog({ configs: FLAT }))).status).toBe(200);
  return edge;
}

const x = (count: number) => "x".repeat(count);
const values = (count: number) => Array.from({ length: count }, (_, i) => ({ reference: `v${i}`, number: "1" }));

it.each<[title: string, members: Record<string, unknown>, field: string]>([
  [
    "300 values beside a property of 500 KB",
    { meter_values: values(300), meter_properties: [{ reference: "p", value: x(500_000) }] },
    "meter_properties.0.value",
  ],
  ["101 values", { meter_values: values(101) }, "meter_values"],
  ["101 properties", { meter_properties: values(101) }, "meter_properties"],
  [
    "a property of 1,001 characters",
    { meter_properties: [{ reference: "p", value: x(1001) }] },
    "meter_properties.0.value",
  ],
  [
    "17 properties of 1,000",
    { meter_properties: values(17).map(({ reference }) => ({ reference, value: x(1000) })) },
    "meter_properties",
  ],
  ["a value's name of 257", { meter_values: [{ reference: x(257), number: "1" }] }, "meter_values.0.reference"],
  [
    "a value's number of 401 digits",
    { meter_values: [{ reference: "v", number: x(401).replaceAll("x", "1") }] },
    "meter_values.0.number",
  ],
  ["a property's name of 257", { meter_properties: [{ id: x(257), value: "1" }] }, "meter_properties.0.id"],
  ["a customer's name of 257", { customer_reference: x(257) }, "customer_reference"],
  ["a nested customer's name of 257", { customer: { id: x(257) } }, "customer.id"],
  ["a subscription's name of 257", { pricing_plan_subscription_id: x(257) }, "pricing_plan_subscription_id"],
  [
    "a selector of 8,001",
    { pricing_plan_subscription_selector: { data: [{ field: "f", value: x(8_001) }] } },
    "pricing_plan_subscription_selector",
  ],
  [
    "a selector of 101 filters",
    { pricing_plan_subscription_selector: { filters: values(101) } },
    "pricing_plan_subscription_selector.filters",
  ],
])("meter data with %s is 400, ingested and calculated, and names the field", async (_title, members, field) => {
  const edge = await pricedEdge();
  const body = { ...meterData("SUM", "1"), ...members };
  for (const answer of [await ingest(edge, body), await calculate(edge, body)]) {
    const refusal = await answer.json<{ reasons: { field: string }[] }>();
    expect([answer.status, refusal.reasons.map((reason) => reason.field)]).toEqual([
      400,
      expect.arrayContaining([field]),
    ]);
  }
});

it("what a usage stream feeds into a meter has the bounds of meter data", async () => {
  const edge = await setupEdge();
  const feeds = { meter_reference: "m", meter_value_reference: "v", properties: { region: "Region" } };
  const value = { reference: "v", type: "NUMBER", calculation: "SUM", required: true };
  const property = { reference: "region", type: "STRING", required: false };
  const meter = { id: "metr_1", reference: "m", status: "ACTIVE", meter_values: [value], meter_properties: [property] };
  const streams = [{ meter_global_id: "fed", feeds }, { meter_global_id: "unfed" }];
  expect((await edge.putCatalog({ streams, meters: [meter] })).status).toBe(200);
  const long = event({ Region: x(1001) });
  const refused = await edge.post("fed", long);
  expect([refused.status, await refused.json()]).toMatchObject([400, { reasons: [{ field: "Region" }] }]);
  expect((await edge.post("fed", event({ CustomerId: x(257) }))).status).toBe(400);
  expect((await edge.post("unfed", long)).status).toBe(200);
});

it("10,000 events with a hundred errors each are answered by the first hundred, in memory for them", async () => {
  const edge = await setupEdge();
  const fields = Array.from({ length: 200 }, (_, i) => ({ name: `f${i}`, type: "string", required: true }));
  await edge.putCatalog({ streams: [{ meter_global_id: "wide", fields }] });
  const refused = await edge.post("wide", `[${"{},".repeat(9_999)}{}]`);
  const { reasons } = await refused.json<{ reasons: unknown[] }>();
  expect([refused.status, reasons.length]).toEqual([400, 100]);
});

/** Facts as they were stored before intake had bounds, on 10 March 2026. */
async function store(edge: TestEdge, count: number, context: (i: number) => string, quantities: string): Promise<void> {
  const subject = '[[null,"traffic"],[null,"acme"]]';
  const at = Date.parse("2026-03-10T12:00:00Z");
  for (let i = 0; i < count; i++) {
    await bindings.LEDGER.prepare(
      "INSERT INTO facts (tenant, id, subject, at, entry, context, quantities) VALUES (?, ?, ?, ?, 0, ?, ?)",
    )
      .bind(edge.tenant, i + 1, subject, at, context(i), quantities)
      .run();
  }
}

const HUGE = JSON.stringify([null, [[null, "region", x(500_000)]]]);
const MANY = JSON.stringify([
  [null, "MAX", null, "7"],
  ...values(299).map(({ reference }) => [null, reference, null, "1"]),
]);
/** What one more than the greatest so far costs is one more. */
const costOfEight = (edge: TestEdge) => costOf(edge, meterData("MAX", "8", { meter_properties: [] }));

it("20 events of 300 values beside 500 KB, stored before they were bounded, are folded and priced, and kept once", async () => {
  const edge = await pricedEdge();
  await store(edge, 20, () => HUGE, MANY);
  expect(await costOfEight(edge)).toBe("1");
  await edge.services.usageFold.fold(edge.tenant);
  expect(await edge.services.usageFold.setAside()).toBe(0);
  expect(await costOfEight(edge)).toBe("1");
  const kept = await bindings.LEDGER.prepare(
    "SELECT sum(length(series)) AS series, count(*) AS rows FROM day_totals WHERE tenant = ?",
  )
    .bind(edge.tenant)
    .first<{ series: number; rows: number }>();
  expect(kept?.rows).toBe(300);
  expect(kept?.series).toBeLessThan(30_000);
});

it("more usage than an instance may hold is 503 for who asks its price, and nothing for others", async () => {
  const [edge, other] = [await pricedEdge(), await pricedEdge()];
  await store(edge, 30, (i) => HUGE.replace("xx", `${i}-`), MANY);
  const asked = await calculate(edge, meterData("MAX", "8"));
  expect([asked.status, asked.headers.get("retry-after")]).toEqual([503, "1"]);
  await edge.services.usageFold.sweep();
  expect((await calculate(edge, meterData("MAX", "8"))).status).toBe(503);
  expect(await costOfEight(other)).toBe("8");
});

it("a long context is named by its hash and priced as before, folded or not", async () => {
  const edge = await pricedEdge();
  const properties = [{ reference: "region", value: `é"\\${x(900)}` }];
  const sent = meterData("MAX", "7", { meter_properties: properties });
  expect((await ingest(edge, sent)).status).toBe(201);
  for (let round = 0; round < 2; round++) {
    expect(await costOfEight(edge)).toBe("1");
    await edge.services.usageFold.fold(edge.tenant);
  }
  expect((await ingest(edge, { ...sent, meter_values: [{ reference: "MAX", number: "7.5" }] })).status).toBe(201);
  await edge.services.usageFold.fold(edge.tenant);
  expect(await costOfEight(edge)).toBe("0.5");
});

it("a tenant whose usage cannot be folded is set aside and told of, the others are folded, and it comes again by itself", async () => {
  const now = { at: Date.parse("2026-03-20T00:00:00Z") };
  const runtime = { clock: { now: () => now.at } };
  const [broken, other] = [await pricedEdge({ runtime }), await pricedEdge({ runtime })];
  const lines: string[] = [];
  const spy = vi.spyOn(console, "error").mockImplementation((line: string) => void lines.push(line));
  onTestFinished(() => spy.mockRestore());
  await store(broken, 1, () => "no JSON", MANY);
  await store(other, 1, () => "[null,[]]", MANY);
  const { usageFold } = broken.services;
  await usageFold.sweep();
  const rows = (edge: TestEdge) =>
    bindings.LEDGER.prepare("SELECT count(*) AS rows FROM day_totals WHERE tenant = ?").bind(edge.tenant).first("rows");
  expect([await rows(broken), await rows(other), await usageFold.setAside()]).toEqual([0, 300, 1]);
  const told = lines.map((line) => JSON.parse(line)).filter(({ tenant }) => tenant === broken.tenant);
  expect(told).toMatchObject([{ level: "error", failures: 1, until: "2026-03-20T00:00:10.000Z" }]);
  await bindings.LEDGER.prepare("UPDATE facts SET context = '[null,[]]' WHERE tenant = ?").bind(broken.tenant).run();
  await usageFold.sweep();
  expect(await rows(broken)).toBe(0);
  now.at += 10_000;
  await usageFold.sweep();
  expect([await rows(broken), await usageFold.setAside()]).toEqual([300, 0]);
});
