/** What counts as usage so far: corrected, discarded, late, fed and foreign data. */
import { expect, it } from "vitest";
import { logFailure } from "../../worker/log.ts";
import { WORKERD } from "../../worker/services.ts";
import { createUsageFold } from "../../worker/usage/fold.ts";
import { calculate, costOf, ingest, meterData, predicted, pricedCatalog } from "./support/calculation.ts";
import { bindings, event, setupEdge, type TestEdge, twinUrl } from "./support/edge.ts";

/** At which the sum stands: SUM costs 1 a unit, without bands. */
const LINEAR = {
  SUM: [
    {
      id: "linear",
      pricing_type: "TIERED",
      currency: "EUR",
      billing_period: { type: "MONTH", value: 1 },
      bands: [
        { tier_top_bound: "1000000", amount: "1" },
        { tier_top_bound: null, amount: "2" },
      ],
    },
  ],
};

async function pricedEdge(options: Parameters<typeof setupEdge>[0] = {}, catalog = pricedCatalog({ configs: LINEAR })) {
  const edge = await setupEdge(options);
  expect((await edge.putCatalog(catalog)).status).toBe(200);
  return edge;
}

/** The usage so far of SUM in March: what is missing to the bound costs 1 a unit, all above it 2. */
async function sumSoFar(edge: TestEdge, extra: Record<string, unknown> = {}): Promise<number> {
  return Number(await costOf(edge, meterData("SUM", "1000000", extra))) - 1_000_000;
}

const fold = (edge: TestEdge) => edge.services.usageFold.fold(edge.tenant);
const LENIENT = { prefer: "handling=lenient" };

async function heldIds(edge: TestEdge): Promise<string[]> {
  const { items } = await (await edge.request("/admin/quarantine")).json<{ items: { id: string }[] }>();
  return items.map(({ id }) => id);
}

const settle = (edge: TestEdge, id: string, way: string, body: unknown) =>
  edge.request(`/admin/quarantine/${id}/${way}`, { method: "POST", body: JSON.stringify(body) });

it.each([false, true])(
  "what was quarantined on arrival counts once it was replayed (folded in between: %s)",
  async (isFolded) => {
    const edge = await pricedEdge();
    const wrong = { ...meterData("SUM", "5"), meter_values: [{ reference: "SUM", number: 5 }] };
    const body = new TextEncoder().encode(JSON.stringify({ meter_datas: [meterData("SUM", "3"), wrong] }));
    await edge.request("/v1/ingest/meter-datas", { method: "POST", body, headers: LENIENT });
    expect(await sumSoFar(edge)).toBe(3);
    if (isFolded) await fold(edge);
    const [id = ""] = await heldIds(edge);
    expect((await settle(edge, id, "replay", { event: meterData("SUM", "5") })).status).toBe(202);
    expect(await sumSoFar(edge)).toBe(8);
    await fold(edge);
    expect(await sumSoFar(edge)).toBe(8);
  },
);

it.each([
  ["discard", false, 3],
  ["discard", true, 3],
  ["correct", false, 13],
  ["correct", true, 13],
  ["repeat", true, 8],
] as const)(
  "what the upstream refused counts until it is settled: %s (folded: %s)",
  async (way, isFolded, expected) => {
    const edge = await pricedEdge({
      vars: { SOLVIMON_BASE_URL: twinUrl(), SOLVIMON_API_KEY: "twin-key" },
      runtime: { fetch: async () => new Response('{"code":"INVALID_FIELD"}', { status: 400 }) },
    });
    await ingest(edge, meterData("SUM", "5"));
    await edge.services.delivery.sweep();
    await ingest(edge, meterData("SUM", "3"));
    if (isFolded) await fold(edge);
    expect(await sumSoFar(edge)).toBe(8);
    const [id = ""] = await heldIds(edge);
    const body = way === "correct" ? { event: meterData("SUM", "10") } : way === "discard" ? { reason: "wrong" } : {};
    const answer = await settle(edge, id, way === "discard" ? "discard" : "replay", body);
    expect(answer.ok).toBe(true);
    expect(await sumSoFar(edge)).toBe(expected);
    await fold(edge);
    const { results } = await bindings.LEDGER.prepare("SELECT * FROM dirty_days WHERE tenant = ?1")
      .bind(edge.tenant)
      .all();
    expect(results).toEqual([]);
    expect(await sumSoFar(edge)).toBe(expected);
    // Settled once; again changes nothing.
    expect((await settle(edge, id, "discard", { reason: "again" })).status).toBe(409);
    expect(await sumSoFar(edge)).toBe(expected);
  },
);

it("a discard between a fold's reading and its writing is not folded over", async () => {
  const edge = await pricedEdge({
    vars: { SOLVIMON_BASE_URL: twinUrl(), SOLVIMON_API_KEY: "twin-key" },
    runtime: { fetch: async () => new Response('{"code":"INVALID_FIELD"}', { status: 400 }) },
  });
  await ingest(edge, meterData("SUM", "3"));
  await fold(edge);
  await ingest(edge, meterData("SUM", "5"));
  await edge.services.delivery.sweep();
  const last = (await heldIds(edge)).at(-1) ?? "";
  let batches = 0;
  const interrupted = {
    prepare: (sql: string) => bindings.LEDGER.prepare(sql),
    batch: async (statements: D1PreparedStatement[]) => {
      // The first batch reads a slice, the second commits it.
      if (++batches === 2) await settle(edge, last, "discard", { reason: "wrong" });
      return bindings.LEDGER.batch(statements);
    },
  } as unknown as D1Database;
  expect(await sumSoFar(edge)).toBe(8);
  await createUsageFold(interrupted, WORKERD.clock, logFailure).fold(edge.tenant);
  expect(batches).toBeGreaterThan(2);
  expect(await sumSoFar(edge)).toBe(3);
  await fold(edge);
  expect(await sumSoFar(edge)).toBe(3);
});

it("a late event counts in its own period, an early one in its own", async () => {
  const edge = await pricedEdge();
  await ingest(edge, meterData("SUM", "1", { timestamp: "2026-03-01T00:00:00Z" }));
  await ingest(edge, meterData("SUM", "2", { timestamp: "2026-04-01T01:59:59.999+02:00" }));
  await ingest(edge, meterData("SUM", "4", { timestamp: "2026-04-01T00:00:00Z" }));
  await fold(edge);
  await ingest(edge, meterData("SUM", "8", { timestamp: "2026-02-28T23:59:59.999Z" }));
  await ingest(edge, meterData("SUM", "16", { timestamp: "2025-12-31T00:00:00Z" }));
  for (let round = 0; round < 2; round++) {
    const timestamps = ["2026-02-01T00:00:00Z", "2026-03-15T00:00:00Z", "2026-04-30T23:59:59Z"];
    expect(await Promise.all(timestamps.map((timestamp) => sumSoFar(edge, { timestamp })))).toEqual([8, 3, 4]);
    await fold(edge);
  }
});

it("a new catalog prices anew what was accepted: other conditions, periods, names, aggregation", async () => {
  const edge = await pricedEdge();
  const at = (value: string) => [{ reference: "region", value }];
  for (const [number, region] of [
    ["1", "eu"],
    ["2", "us"],
    ["4", "eu"],
  ] as const)
    await ingest(
      edge,
      meterData("SUM", number, { meter_properties: at(region), timestamp: `2026-03-0${number}T05:00:00Z` }),
    );
  await ingest(edge, meterData("SUM", "8"));
  await fold(edge);
  expect(await sumSoFar(edge)).toBe(15);
  const [linear] = LINEAR.SUM;
  const conditions = [{ property: "region", operator: "EQUALS", value: "eu" }];
  const put = (catalog: unknown) => edge.putCatalog(catalog);
  expect((await put(pricedCatalog({ configs: { SUM: [{ ...linear, conditions }] } }))).status).toBe(200);
  expect(await sumSoFar(edge, { meter_properties: at("eu") })).toBe(5);
  const daily = { ...linear, billing_period: { type: "DAY", value: 2 } };
  await put(pricedCatalog({ configs: { SUM: [daily] }, startAt: "2026-03-01T06:00:00Z" }));
  expect(await sumSoFar(edge, { timestamp: "2026-03-02T00:00:00Z" })).toBe(2);
  const renamed = pricedCatalog({ configs: LINEAR });
  const meters = renamed.meters.map((meter) => ({ ...meter, id: "metr_new" }));
  await put({ ...renamed, meters });
  expect(await sumSoFar(edge, { meter_reference: undefined, meter_id: "metr_new" })).toBe(15);
  const largest = renamed.meters.map((meter) => ({
    ...meter,
    meter_values: meter.meter_values.map((one) => (one.reference === "SUM" ? { ...one, calculation: "MAX" } : one)),
  }));
  await put({ ...renamed, meters: largest });
  expect(await costOf(edge, meterData("SUM", "10"))).toBe("2");
});

it("two subscriptions each count what falls under them, in their own times", async () => {
  const of = (n: number, start_at: string, end_at?: string) => ({
    id: `ppsu_${n}`,
    reference: `sub-${n}`,
    customer_id: "cust_1",
    pricing_plan_id: "plan_1",
    start_at,
    ...(end_at === undefined ? {} : { end_at }),
  });
  const subscriptions = [of(1, "2026-03-01T00:00:00Z"), of(2, "2026-03-01T00:00:00Z", "2026-03-10T12:00:00Z")];
  const edge = await pricedEdge({}, pricedCatalog({ configs: LINEAR, subscriptions }));
  const named = { pricing_plan_subscription_id: "ppsu_1" };
  const early = { timestamp: "2026-03-10T11:59:59Z" };
  await ingest(edge, meterData("SUM", "1", early));
  await ingest(edge, meterData("SUM", "2", { ...early, ...named }));
  await ingest(edge, meterData("SUM", "4"));
  const selector = { filters: [{ field: "reference", type: "EQUALS", value: "sub-2" }], fallback: "NONE" };
  await ingest(edge, meterData("SUM", "8", { ...early, pricing_plan_subscription_selector: selector }));
  for (let round = 0; round < 2; round++) {
    expect(await sumSoFar(edge, named)).toBe(7);
    expect(await sumSoFar(edge, { ...early, pricing_plan_subscription_reference: "sub-2" })).toBe(9);
    expect((await predicted(edge, meterData("SUM", "1", early))).details[0]?.periods[0]?.groups).toHaveLength(2);
    await fold(edge);
  }
});

it("usage streams feed a meter by their source text; duplicates and invalid events do not", async () => {
  const feeds = { meter_reference: "traffic", meter_value_reference: "SUM", properties: { region: "Zone" } };
  const streams = [{ meter_global_id: "fed", feeds }, { meter_global_id: "dry" }];
  const [linear] = LINEAR.SUM;
  const conditions = [{ property: "region", operator: "EQUALS", value: "7.0" }];
  const edge = await pricedEdge({}, pricedCatalog({ streams, configs: { SUM: [{ ...linear, conditions }] } }));
  const sent = (quantity: string, zone = "7.0") =>
    event({ CustomerId: "acme", UsageDate: "2026-03-05T00:00:00Z" }).replace(
      '"Quantity":1',
      `"Quantity":${quantity},"Zone":${zone}`,
    );
  const odd = sent("2e-1").replace("UsageIdentifier", "UsageIdentifier");
  for (const body of [sent("0.1234567890123456789"), sent("0.1234567890123456789"), odd, sent("5", "7")])
    expect((await edge.post("fed", body)).status).toBe(200);
  await edge.post("fed", sent('"wrong"'), LENIENT);
  await edge.post("dry", sent("100"));
  for (let round = 0; round < 2; round++) {
    const region = { meter_properties: [{ reference: "region", value: "7.0" }] };
    const cost = await costOf(edge, meterData("SUM", "1000000", region));
    expect(cost).toBe("1000000.3234567890123456789");
    await fold(edge);
  }
});

it("odd names are found again, and no tenant sees another's usage", async () => {
  const odd = 'a"b\\cé\u{1F600}/';
  const properties = [{ reference: "region", value: `${odd}\u0001\u0000` }];
  const named = pricedCatalog({ configs: LINEAR, customers: [{ id: "cust_1", reference: odd }] });
  const [edge, other] = [await pricedEdge({}, named), await pricedEdge({}, named)];
  const event = meterData("SUM", "3", {
    customer_reference: odd,
    meter_properties: properties,
  });
  expect((await ingest(edge, event)).status).toBe(201);
  for (let round = 0; round < 2; round++) {
    expect(await sumSoFar(edge, { customer_reference: odd })).toBe(3);
    expect(await sumSoFar(other, { customer_reference: odd })).toBe(0);
    await edge.services.usageFold.sweep();
  }
  const conditions = [{ property: "region", operator: "EQUALS", value: `${odd}\u0001\u0000` }];
  const [linear] = LINEAR.SUM;
  await edge.putCatalog({
    ...named,
    ...pricedCatalog({ configs: { SUM: [{ ...linear, conditions }] }, customers: named.customers }),
  });
  expect(await sumSoFar(edge, { customer_reference: odd, meter_properties: properties })).toBe(3);
  expect((await calculate(edge, event)).status).toBe(201);
});
