/** Whose an event is that names a subscription and no customer: the subscription's customer's, in price and in usage. */
import { expect, it } from "vitest";
import { jsonArrays } from "../../worker/usage/json-arrays.ts";
import { calculate, costOf, ingest, meterData, predicted, pricedCatalog } from "./support/calculation.ts";
import { setupEdge, type TestEdge, twinUrl } from "./support/edge.ts";

/** 1 a unit up to a million, 2 above: what a million more costs tells the usage so far. */
const LINEAR = {
  id: "linear",
  pricing_type: "TIERED",
  currency: "EUR",
  billing_period: { type: "MONTH", value: 1 },
  bands: [
    { tier_top_bound: "1000000", amount: "1" },
    { tier_top_bound: null, amount: "2" },
  ],
};

const subscription = (n: number, customer_id = "cust_1", more: Record<string, unknown> = {}) => ({
  id: `ppsu_${n}`,
  reference: `sub-${n}`,
  customer_id,
  pricing_plan_id: "plan_1",
  start_at: "2026-01-01T00:00:00Z",
  ...more,
});

const catalogOf = (subscriptions: readonly Record<string, unknown>[]) =>
  pricedCatalog({ configs: { SUM: [LINEAR] }, subscriptions });

async function edgeWith(
  subscriptions: readonly Record<string, unknown>[],
  options: Parameters<typeof setupEdge>[0] = {},
): Promise<TestEdge> {
  const edge = await setupEdge(options);
  expect((await edge.putCatalog(catalogOf(subscriptions))).status).toBe(200);
  return edge;
}

/** Names no customer; undefined members are not sent. */
const nameless = (number: string, names: Record<string, unknown>) =>
  meterData("SUM", number, { customer_reference: undefined, ...names });

async function sumSoFar(edge: TestEdge, names: Record<string, unknown>): Promise<number> {
  return Number(await costOf(edge, nameless("1000000", names))) - 1_000_000;
}

const FIRST = { pricing_plan_subscription_id: "ppsu_1" };
const SECOND = { pricing_plan_subscription_reference: "sub-2" };

it("it is priced as that customer's, under that subscription alone", async () => {
  const edge = await edgeWith([subscription(1), subscription(2)]);
  for (const names of [FIRST, { ...FIRST, pricing_plan_subscription_reference: "sub-1" }]) {
    const asked = await predicted(edge, nameless("7", names));
    expect(asked).toEqual(await predicted(edge, meterData("SUM", "7", names)));
    expect(asked.details[0]?.customer_id).toBe("cust_1");
    expect(asked.details[0]?.periods[0]?.groups.map((group) => group.pricing_plan_subscription_id)).toEqual(["ppsu_1"]);
  }
});

it("it counts as usage of that subscription however subscription and meter were named, folded or not", async () => {
  const edge = await edgeWith([subscription(1), subscription(2), subscription(3, "cust_2")]);
  const byId = { meter_reference: undefined, meter_id: "metr_1" };
  await ingest(edge, nameless("1", FIRST));
  await ingest(edge, nameless("2", { pricing_plan_subscription_reference: "sub-1", ...byId }));
  await ingest(edge, nameless("4", { ...FIRST, pricing_plan_subscription_reference: "sub-1" }));
  await ingest(edge, meterData("SUM", "8", FIRST));
  await ingest(edge, nameless("16", SECOND));
  await ingest(edge, meterData("SUM", "32"));
  await ingest(edge, nameless("64", { pricing_plan_subscription_reference: "sub-3" }));
  await ingest(edge, nameless("128", { pricing_plan_subscription_reference: "nobody's" }));
  await ingest(edge, nameless("256", {}));
  for (let round = 0; round < 2; round++) {
    expect(await sumSoFar(edge, FIRST), "by the subscription").toBe(1 + 2 + 4 + 8 + 32);
    expect(await sumSoFar(edge, { ...FIRST, customer_id: "cust_1" }), "by customer and subscription").toBe(47);
    expect(await sumSoFar(edge, SECOND)).toBe(16 + 32);
    expect(await sumSoFar(edge, { pricing_plan_subscription_id: "ppsu_3" })).toBe(64);
    const both = await predicted(edge, meterData("SUM", "1000000"));
    const amounts = both.details[0]?.periods[0]?.groups.map(({ lines }) => lines[0]?.amounts[0]?.quantity);
    expect(amounts, "the customer's two").toEqual(["1000047", "1000048"]);
    await edge.services.usageFold.fold(edge.tenant);
  }
});

it("it follows its subscription when a new catalog gives that to another customer", async () => {
  const edge = await edgeWith([subscription(1)]);
  await ingest(edge, nameless("5", FIRST));
  await edge.services.usageFold.fold(edge.tenant);
  expect((await edge.putCatalog(catalogOf([subscription(1, "cust_2")]))).status).toBe(200);
  expect(await sumSoFar(edge, { customer_reference: "other" })).toBe(5);
  expect(await sumSoFar(edge, FIRST)).toBe(5);
});

it("it no longer counts once it was refused and discarded", async () => {
  const edge = await edgeWith([subscription(1)], {
    vars: { SOLVIMON_BASE_URL: twinUrl(), SOLVIMON_API_KEY: "twin-key" },
    runtime: { fetch: async () => new Response('{"code":"INVALID_FIELD"}', { status: 400 }) },
  });
  await ingest(edge, nameless("5", FIRST));
  await edge.services.usageFold.fold(edge.tenant);
  await edge.services.delivery.sweep();
  expect(await sumSoFar(edge, FIRST)).toBe(5);
  const { items } = await (await edge.request("/admin/quarantine")).json<{ items: { id: string }[] }>();
  const discard = { method: "POST", body: JSON.stringify({ reason: "wrong" }) };
  expect((await edge.request(`/admin/quarantine/${items[0]?.id}/discard`, discard)).status).toBe(200);
  for (let round = 0; round < 2; round++) {
    expect(await sumSoFar(edge, FIRST)).toBe(0);
    await edge.services.usageFold.fold(edge.tenant);
  }
});

it.each<[title: string, change: Record<string, unknown>, variant: string]>([
  ["no customer and no subscription", { customer_reference: undefined }, "CUSTOMER_NOT_NAMED"],
  ["an unknown customer", { customer_reference: "nobody" }, "CUSTOMER_NOT_FOUND"],
  ["an unknown customer with a known subscription", { customer_reference: "nobody", ...FIRST }, "CUSTOMER_NOT_FOUND"],
  [
    "an unknown subscription alone",
    { customer_reference: undefined, pricing_plan_subscription_id: "x" },
    "SUBSCRIPTION_NOT_FOUND",
  ],
  ["a customer without a subscription", { customer_reference: "other" }, "SUBSCRIPTION_NOT_FOUND"],
  ["another's subscription", { customer_reference: "other", ...FIRST }, "SUBSCRIPTION_NOT_FOUND"],
  ["a moment before the subscription", { timestamp: "2025-12-31T23:59:59Z" }, "SUBSCRIPTION_NOT_FOUND"],
  [
    "a selector that leaves none",
    { pricing_plan_subscription_selector: { filters: [{ field: "id", value: "x" }] } },
    "SUBSCRIPTION_NOT_FOUND",
  ],
  ["no value", { meter_values: [] }, "PRICING_NOT_FOUND"],
  ["conditions that do not hold", { meter_values: [{ reference: "MAX", number: "1" }] }, "PRICING_NOT_FOUND"],
])("what no price asks for says why: %s", async (_title, change, variant) => {
  const edge = await setupEdge();
  const config = { ...LINEAR, conditions: [{ property: "region", operator: "EQUALS", value: "eu" }] };
  expect((await edge.putCatalog(pricedCatalog({ configs: { MAX: [config] } }))).status).toBe(200);
  for (const query of ["", "?cost_prediction=true"]) {
    const answer = await calculate(edge, { ...meterData("SUM", "1"), ...change }, query);
    const { processed_details } = await answer.json<{ processed_details: unknown }>();
    expect([answer.status, processed_details]).toEqual([201, { type: "NOT_MATCHED", not_matched: { variant } }]);
  }
});

it("a customer with more subscriptions than one statement names has the usage of each", async () => {
  const many = Array.from({ length: 600 }, (_, i) =>
    subscription(i, "cust_1", { reference: `${i}-${"é".repeat(200)}`, end_at: "2026-06-01T00:00:00Z" }),
  );
  const edge = await edgeWith(many);
  const last = many.at(-1)?.reference;
  await ingest(edge, nameless("5", { pricing_plan_subscription_reference: last }));
  for (let round = 0; round < 2; round++) {
    const { details } = await predicted(edge, meterData("SUM", "1000000"));
    const amounts = details[0]?.periods[0]?.groups.map(({ lines }) => lines[0]?.amounts[0]?.quantity);
    expect(amounts).toEqual([...Array.from({ length: 599 }, () => "1000000"), "1000005"]);
    await edge.services.usageFold.fold(edge.tenant);
  }
});

it("a list is cut into arrays within the bound, nothing lost and in order", () => {
  const members = ['"a"', '"bb"', '"ccccccccccccc"', "[1,2]", '"d"'];
  const arrays = jsonArrays(members, 10);
  expect(arrays.flatMap((text) => JSON.parse(text))).toEqual(members.map((text) => JSON.parse(text)));
  expect(arrays.every((text) => text.length <= 12 || JSON.parse(text).length === 1)).toBe(true);
  expect(jsonArrays([])).toEqual([]);
});
