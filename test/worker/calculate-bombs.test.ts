/** Catalogs made so that one calculation would be millions of prices: it is refused, and nobody else waits for it. */
import { expect, it } from "vitest";
import { calculate, costOf, ingest, meterData, predicted, pricedCatalog } from "./support/calculation.ts";
import { setupEdge } from "./support/edge.ts";

const BAND = { tier_top_bound: null, amount: "1" };
const config = (n: number, bands: readonly unknown[] = [BAND], more: Record<string, unknown> = {}) => ({
  ...{ id: `c${n}`, pricing_type: "TIERED", currency: "EUR", billing_period: { type: "MONTH", value: 1 }, bands },
  ...more,
});
const many = <T>(count: number, make: (n: number) => T) => Array.from({ length: count }, (_, n) => make(n));
const subscriptions = (count: number) =>
  many(count, (n) => ({
    ...{ id: `ppsu_${n}`, reference: `sub-${n}`, customer_id: "cust_1", pricing_plan_id: "plan_1" },
    start_at: "2026-01-01T00:00:00Z",
  }));
const bands = many(20, (n) => ({ tier_top_bound: n === 19 ? null : String(n + 1), amount: "1" }));
const NAMED = { pricing_plan_subscription_id: "ppsu_7" };

async function edgeWith(configs: readonly Record<string, unknown>[], count: number) {
  const edge = await setupEdge();
  const catalog = pricedCatalog({ configs: { SUM: configs }, subscriptions: subscriptions(count) });
  expect((await edge.putCatalog(catalog)).status).toBe(200);
  return edge;
}

it.each([
  ["10,000 subscriptions under 300 prices of 20 bands", many(300, (n) => config(n, bands)), 10_000],
  ["10,000 subscriptions under one price", [config(0, [BAND])], 10_000],
])("%s: a calculation is 400 and says to name one; one that is named is priced", async (_, configs, count) => {
  const edge = await edgeWith(configs, count);
  const answer = await calculate(edge, meterData("SUM", "1"));
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({ code: "INVALID_OPERATION", field: "pricing_plan_subscription_id" });
  expect(await costOf(edge, meterData("SUM", "1", NAMED))).toBe(String(configs.length));
  // Without a price asked for there is nothing to work out.
  expect((await calculate(edge, meterData("SUM", "1"), "")).status).toBe(201);
});

it("conditions are looked at once for each price, however many subscribe to it", async () => {
  const condition = { property: "region", operator: "IN", value: many(9_000, (n) => `r${n}`) };
  const configs = [config(0, [BAND], { conditions: many(5, () => condition) }), config(1)];
  const edge = await edgeWith(configs, 4_000);
  const { details } = await predicted(edge, meterData("SUM", "1"));
  expect(details[0]?.amount_excluding_tax.quantity).toBe("4000");
});

it("usage counts towards thousands of subscriptions, each once, folded or not", async () => {
  const count = 4_000;
  const edge = await edgeWith(
    [
      config(0, [
        { tier_top_bound: "5", amount: "1" },
        { ...BAND, amount: "2" },
      ]),
    ],
    count,
  );
  await ingest(edge, meterData("SUM", "5", { ...NAMED, reference: "for-one-alone" }));
  await ingest(edge, meterData("SUM", "1", { reference: "for-each-of-them" }));
  for (let round = 0; round < 2; round++) {
    // One is beyond its first band already; of the others each unit of four is within.
    const one = (await costOf(edge, meterData("SUM", "4", NAMED))) === "8";
    expect([one, await costOf(edge, meterData("SUM", "4", { pricing_plan_subscription_id: "ppsu_8" }))]).toEqual([
      true,
      "4",
    ]);
    await edge.services.usageFold.fold(edge.tenant);
  }
});
