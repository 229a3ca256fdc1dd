/** The calculate operation as a client meets it: its answer, every refusal, and the call passed on. */
import { beforeAll, describe, expect, it } from "vitest";
import { calculate, ingest, meterData, pricedCatalog } from "./support/calculation.ts";
import { connectEdge, setupEdge, type TestEdge } from "./support/edge.ts";

let edge: TestEdge;
beforeAll(async () => {
  edge = await setupEdge();
  expect((await edge.putCatalog(pricedCatalog())).status).toBe(200);
});

const bodyOf = async (event: unknown, query?: string) => {
  const answer = await calculate(edge, event, query);
  return { status: answer.status, body: await answer.json<Record<string, unknown>>() };
};

it("answers 201 with the meter data resource and the prediction, line by line", async () => {
  const event = meterData("SUM", "110.50", { reference: "reference-1", extra: 1 });
  const { status, body } = await bodyOf(event);
  expect(status).toBe(201);
  expect(Date.parse(String(body["created_at"]))).toBeGreaterThan(Date.now() - 60_000);
  expect(body).toMatchObject({ ...event, object_type: "METER_DATA", type: "CALCULATION", deleted: false });
  expect(body["processed_details"]).toEqual({ type: "DEFAULT" });
  expect(body["cost_prediction"]).toEqual({
    response: "OK",
    details: [
      {
        customer_id: "cust_1",
        amount_excluding_tax: { quantity: "10", currency: "EUR" },
        amount_including_tax: null,
        periods: [
          {
            start_at: "2026-03-01T00:00:00Z",
            end_at: "2026-04-01T00:00:00Z",
            groups: [
              {
                pricing_plan_subscription_id: "ppsu_1",
                lines: [
                  {
                    pricing_item_id: "item_SUM",
                    pricing_item_config_id: "c_SUM",
                    pricing_type: "TIERED",
                    amounts: [{ quantity: "10", currency: "EUR" }],
                    meter_value: { reference: "SUM", number: "110.50" },
                    details: [
                      { tier_top_bound: null, units: "10.5", rate: "0", amount: "0", part: "INCLUDED" },
                      { tier_top_bound: "100", units: "100", rate: "0.1", amount: "10", part: "UNITS" },
                    ],
                  },
                ],
              },
            ],
          },
        ],
      },
    ],
  });
});

it("gives the id that ingesting the event gives: by reference, by key, by content", async () => {
  const byKey = { "idempotency-key": `key-of-${edge.tenant}` };
  const post = (path: string, event: unknown, headers: Record<string, string>) =>
    edge.request(path, { method: "POST", body: new TextEncoder().encode(JSON.stringify(event)), headers });
  for (const [event, headers] of [
    [meterData("SUM", "1", { reference: "a-reference" }), {}],
    [meterData("SUM", "2"), byKey],
    [meterData("SUM", "3"), {}],
  ] as const) {
    const asked = await (await post("/v1/events/calculate", event, headers)).json<{ id: string }>();
    const stored = await (await post("/v1/events/ingest", event, headers)).json<{ id: string }>();
    expect(asked.id).toBe(stored.id);
    expect(asked.id).toMatch(/^mtda_[0-9A-Za-z]{20}$/);
  }
});

it.each([
  ["?cost_prediction=false", false],
  ["", false],
  ["?cost_prediction=true", true],
])("with %j the prediction is filled: %s", async (query, filled) => {
  const { body } = await bodyOf(meterData("SUM", "1"), query);
  expect(body["cost_prediction"] !== null).toBe(filled);
});

it.each(["?cost_prediction=yes", "?cost_prediction=", "?cost_prediction=TRUE", "?cost_prediction=1"])(
  "refuses %s",
  async (query) => {
    const { status, body } = await bodyOf(meterData("SUM", "1"), query);
    expect([status, body["code"], body["field"]]).toEqual([400, "INVALID_FIELD", "cost_prediction"]);
  },
);

const value = { reference: "SUM", number: "1" };
describe.each<[title: string, change: Record<string, unknown>, code: string, field: string]>([
  ["no meter", { meter_reference: null }, "MISSING_FIELD", "meter_id"],
  ["an unknown meter id", { meter_reference: null, meter_id: "metr_x" }, "METER_NOT_FOUND", "meter_id"],
  ["an unknown meter reference", { meter_reference: "x" }, "METER_NOT_FOUND", "meter_reference"],
  [
    "an unknown value",
    { meter_values: [{ reference: "x", number: "1" }] },
    "METER_VALUE_NOT_FOUND",
    "meter_values.0.reference",
  ],
  [
    "a second, unknown value id",
    { meter_values: [value, { id: "x", number: "1" }] },
    "METER_VALUE_NOT_FOUND",
    "meter_values.1.id",
  ],
  ["an unnamed value", { meter_values: [{ number: "1" }] }, "MISSING_FIELD", "meter_values.0.reference"],
  ["a value without a number", { meter_values: [{ reference: "SUM" }] }, "MISSING_FIELD", "meter_values.0.number"],
  [
    "an amount value without one",
    { meter_values: [{ reference: "PAID", number: "1" }] },
    "MISSING_FIELD",
    "meter_values.0.amount",
  ],
  [
    "a number that is none",
    { meter_values: [{ reference: "SUM", number: 1 }] },
    "INVALID_FIELD",
    "meter_values.0.number",
  ],
  [
    "id and reference of two values",
    { meter_values: [{ id: "mval_MAX", ...value }] },
    "INVALID_FIELD",
    "meter_values.0.reference",
  ],
  [
    "an unknown id beside a known reference",
    { meter_values: [{ id: "x", ...value }] },
    "METER_VALUE_NOT_FOUND",
    "meter_values.0.id",
  ],
  [
    "an unknown reference beside a known id",
    { meter_values: [{ id: "mval_SUM", reference: "x", number: "1" }] },
    "METER_VALUE_NOT_FOUND",
    "meter_values.0.reference",
  ],
  [
    "an unknown meter reference beside a known id",
    { meter_id: "metr_1", meter_reference: "x" },
    "METER_NOT_FOUND",
    "meter_reference",
  ],
  [
    "an unknown property",
    { meter_properties: [{ reference: "x", value: "1" }] },
    "METER_PROPERTY_NOT_FOUND",
    "meter_properties.0.reference",
  ],
  ["two customers", { customer_id: "cust_2" }, "INVALID_FIELD", "customer_reference"],
  ["a short reference", { reference: "short" }, "INVALID_FIELD", "reference"],
  ["a timestamp without offset", { timestamp: "2026-03-10T12:00:00" }, "INVALID_FIELD", "timestamp"],
  ["a customer that is none", { customer: "acme" }, "INVALID_FIELD", "customer"],
  [
    "a null selector",
    { pricing_plan_subscription_selector: null },
    "INVALID_FIELD",
    "pricing_plan_subscription_selector",
  ],
])("refuses %s", (_title, change, code, field) => {
  it(`with ${code} at ${field}`, async () => {
    const { status, body } = await bodyOf({ ...meterData("SUM", "1"), ...change });
    expect([status, body["code"], body["field"]]).toEqual([400, code, field]);
    expect(body["reasons"]).toContainEqual(expect.objectContaining({ code, field }));
  });
});

it("refuses an archived meter at the field that named it; a draft and a deprecated one are priced", async () => {
  const own = await setupEdge();
  const put = (status: string) => {
    const catalog = pricedCatalog();
    return own.putCatalog({ ...catalog, meters: catalog.meters.map((meter) => ({ ...meter, status })) });
  };
  const ask = async (names: Record<string, unknown>) => {
    const answer = await calculate(own, { ...meterData("SUM", "1"), ...names });
    const { code, field } = await answer.json<{ code?: string; field?: string }>();
    return [answer.status, code, field];
  };
  for (const status of ["DRAFT", "DEPRECATED"]) {
    expect((await put(status)).status).toBe(200);
    expect(await ask({}), status).toEqual([201, undefined, undefined]);
  }
  expect((await put("ARCHIVED")).status).toBe(200);
  const refused = (field: string) => [400, "INVALID_OPERATION", field];
  expect(await ask({})).toEqual(refused("meter_reference"));
  expect(await ask({ meter_reference: null, meter_id: "metr_1" })).toEqual(refused("meter_id"));
  expect(await ask({ meter_id: "metr_1" })).toEqual(refused("meter_id"));
  expect((await ingest(own, meterData("SUM", "1"))).status, "ingest under pass").toBe(201);
});

it.each<[title: string, change: Record<string, unknown>]>([
  ["an unknown customer", { customer_reference: "nobody" }],
  ["no customer", { customer_reference: undefined }],
  ["a customer without a subscription", { customer_reference: "other" }],
  ["a moment before the subscription", { timestamp: "2025-12-31T23:59:59Z" }],
  ["another's subscription", { pricing_plan_subscription_reference: "nobody's" }],
])("%s matches no price: NOT_MATCHED, 201", async (_title, change) => {
  const { status, body } = await bodyOf({ ...meterData("SUM", "1"), ...change });
  expect(status).toBe(201);
  expect(body["processed_details"]).toMatchObject({ type: "NOT_MATCHED" });
  expect(body["cost_prediction"]).toEqual({ response: "OK", details: [] });
});

it("a top-up is NOT_SUPPORTED, an amount in another currency FAILED", async () => {
  const own = await setupEdge();
  const config = {
    id: "c",
    pricing_type: "FLAT_TOP_UP",
    currency: "EUR",
    billing_period: { type: "MONTH", value: 1 },
    bands: [{ amount: "1" }],
  };
  expect((await own.putCatalog(pricedCatalog({ configs: { MAX: [config] } }))).status).toBe(200);
  const answer = async (event: unknown) => (await calculate(own, event)).json();
  expect(await answer(meterData("MAX", "1"))).toMatchObject({
    cost_prediction: { response: "NOT_SUPPORTED", details: [] },
  });
  const paid = { reference: "PAID", amount: { quantity: "1", currency: "USD" } };
  expect(await answer({ ...meterData("SUM", "1"), meter_values: [paid] })).toMatchObject({
    cost_prediction: { response: "FAILED", details: [] },
  });
});

it("refuses what the other operations refuse: credentials, version, content type, size, shape", async () => {
  const ask = async (path: string, init: RequestInit) => {
    const answer = await edge.request(path, { method: "POST", body: new TextEncoder().encode("{}"), ...init });
    return [answer.status, (await answer.json<{ code: string }>()).code];
  };
  const path = "/v1/events/calculate";
  expect(await ask(path, { headers: { "x-api-key": "wrong" } })).toEqual([401, "UNAUTHORISED"]);
  expect(await ask("/v2/events/calculate", {})).toEqual([400, "UNSUPPORTED_VERSION"]);
  expect(await ask(path, { headers: { "content-type": "text/plain" } })).toEqual([415, "UNSUPPORTED_MEDIA_TYPE"]);
  expect(await ask(path, { body: new Uint8Array(4_000_001) })).toEqual([413, "BAD_REQUEST"]);
  expect(await ask(path, { body: new TextEncoder().encode("[{}]") })).toEqual([400, "BAD_REQUEST"]);
  expect(await ask(path, { body: new TextEncoder().encode("{") })).toEqual([400, "BAD_REQUEST"]);
});

describe("without a plan in the catalog", () => {
  it("a catalog of streams alone leaves the call to Solvimon", async () => {
    const own = await setupEdge({
      vars: { SOLVIMON_BASE_URL: "https://solvimon.test", SOLVIMON_API_KEY: "upstream-key" },
      runtime: { fetch: async () => Response.json({ from: "solvimon" }, { status: 201 }) },
    });
    expect((await own.putCatalog({ streams: [{ meter_global_id: "m" }] })).status).toBe(200);
    const answer = await calculate(own, meterData("SUM", "1"));
    expect([answer.status, await answer.json()]).toEqual([201, { from: "solvimon" }]);
  });

  it("the call is Solvimon's to answer, and nothing of it is stored", async () => {
    const calls: { url: string; key: string | null; body: string }[] = [];
    const own = await setupEdge({
      vars: { SOLVIMON_BASE_URL: "https://solvimon.test", SOLVIMON_API_KEY: "upstream-key" },
      runtime: {
        fetch: async (input, init) => {
          const request = new Request(input, init);
          calls.push({ url: request.url, key: request.headers.get("x-api-key"), body: await request.text() });
          return Response.json({ from: "solvimon" }, { status: 201 });
        },
      },
    });
    const source = '{ "meter_reference":"m",  "meter_values": [] }';
    const answer = await calculate(own, source);
    expect([answer.status, await answer.json()]).toEqual([201, { from: "solvimon" }]);
    expect(calls).toEqual([
      { url: "https://solvimon.test/v1/events/calculate?cost_prediction=true", key: "upstream-key", body: source },
    ]);
    await own.putCatalog(pricedCatalog());
    expect((await (await calculate(own, meterData("SUM", "1"))).json<{ type: string }>()).type).toBe("CALCULATION");
    expect(calls).toHaveLength(1);
  });

  it("a Solvimon that does not answer is 503, and none at all an unknown meter", async () => {
    const own = await setupEdge();
    expect((await calculate(own, meterData("SUM", "1"))).status).toBe(400);
    const cut = connectEdge(own.tenant, {
      vars: { SOLVIMON_BASE_URL: "https://solvimon.test" },
      runtime: { fetch: () => Promise.reject(new TypeError("cut")) },
    });
    const answer = await calculate(cut, meterData("SUM", "1"));
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
  });
});

it("an event that names no moment is priced now, and counts at its receipt", async () => {
  const event = meterData("MAX", "2", { timestamp: null, reference: "no-timestamp" });
  const { body } = await bodyOf(event);
  expect(body["timestamp"]).toBe(body["created_at"]);
  await ingest(edge, event);
  const after = await bodyOf({ ...event, reference: "no-timestamp-2" });
  expect(after.body["cost_prediction"]).toMatchObject({ details: [{ amount_excluding_tax: { quantity: "0" } }] });
});

it("meter data is answered as ingested: type, created_at and deleted, the same when it is sent or read again", async () => {
  const event = meterData("SUM", "4", {
    reference: "ingested-once",
    type: "CALCULATION",
    deleted: true,
    created_at: "x",
  });
  const first = await (await ingest(edge, event)).json<Record<string, unknown>>();
  expect(first).toMatchObject({ object_type: "METER_DATA", type: "INGEST", deleted: false });
  expect(Date.parse(String(first["created_at"]))).toBeGreaterThan(Date.now() - 60_000);
  expect(await (await ingest(edge, event)).json()).toEqual(first);
  expect(await (await edge.request(`/v1/events/${first["id"]}`)).json()).toEqual(first);
});
