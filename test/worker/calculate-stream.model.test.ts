/** A thousand events, each predicted, then ingested: what was predicted adds up to what the whole costs. */
import { beforeAll, expect, it } from "vitest";
import { quantityOf, type Usage } from "../../worker/pricing/aggregate.ts";
import { type Decimal, decimalOf, decimalText, sumOf } from "../../worker/pricing/decimal.ts";
import { priceOf } from "../../worker/pricing/price.ts";
import { priceRuleOf } from "../../worker/pricing/price-rule.ts";
import { tallyOf, usageOf } from "../../worker/usage/tally.ts";
import { modelRuns } from "../support/model-runs.ts";
import { seeded } from "../support/seeded.ts";
import { costOf, ingest, meterData, predicted, pricedCatalog, rowCounts } from "./support/calculation.ts";
import { bindings, connectEdge, setupEdge, type TestEdge } from "./support/edge.ts";

const NAMES = ["SUM", "MAX", "MIN", "AVERAGE", "UNIQUE"] as const;
const EVENTS = modelRuns({ full: 1_000, short: 150 });
const DAY_MS = 86_400_000;

/** Prices of whole periods, by the config's own rule and a plain sum over all values. */
function totalPrice(catalog: ReturnType<typeof pricedCatalog>, name: string, usage: Usage): Decimal {
  const item = catalog.pricing_plans[0]?.pricings[0]?.pricing_items.find((one) => one.id === `item_${name}`);
  const [config] = item?.configs ?? [];
  const rule = priceRuleOf({ conditions: [], bands: [], ...config } as never);
  if (rule === null) throw new Error("no rule");
  return priceOf(rule, quantityOf(usage)).amount;
}

it.each([
  ["at midnight, every event once", "2026-01-01T00:00:00Z", false],
  ["in the middle of a day, every event twice, instances replaced", "2026-01-31T13:30:00Z", true],
])(
  "periods begin %s: predictions add up digit for digit",
  async (_title, startAt, isTwice) => {
    const random = seeded(isTwice ? 7 : 3);
    let edge = await setupEdge();
    const catalog = pricedCatalog({ startAt });
    expect((await edge.putCatalog(catalog)).status).toBe(200);
    const given = new Map<string, { month: number; value: Decimal }[]>(NAMES.map((name) => [name, []]));
    const costs: Decimal[] = [];
    // Two whole periods, between their boundaries at whatever time of day.
    const starts = [1, 2, 3].map((month) =>
      Date.parse(startAt.replace("-01-", `-0${month}-`).replace("02-31", "02-28")),
    );
    for (let i = 0; i < EVENTS; i++) {
      const month = random() < 0.5 ? 0 : 1;
      const [from, to] = [starts[month] ?? 0, starts[month + 1] ?? 0];
      const name = NAMES[Math.floor(random() * NAMES.length)] ?? "SUM";
      const places = Math.floor(random() * 12);
      const text = `${random() < 0.1 ? "-" : ""}${Math.floor(random() * 40)}${places === 0 ? "" : `.${String(Math.floor(random() * 10 ** places)).padStart(places, "0")}`}`;
      const event = meterData(name, text, {
        reference: `${edge.tenant}-${i}`,
        timestamp: new Date(Math.floor(from + random() * (to - from))).toISOString(),
        ...(random() < 0.3 ? { customer_id: "cust_1" } : {}),
        ...(random() < 0.3 ? { meter_reference: undefined, meter_id: "metr_1" } : {}),
        ...(random() < 0.3 ? { pricing_plan_subscription_id: "ppsu_1" } : {}),
        ...(random() < 0.2
          ? { customer_id: undefined, customer_reference: undefined, pricing_plan_subscription_reference: "sub-1" }
          : {}),
        ...(random() < 0.3 ? { meter_properties: [{ reference: "region", value: random() < 0.5 ? "eu" : "us" }] } : {}),
      });
      costs.push(decimalOf(await costOf(edge, event)));
      expect((await ingest(edge, event)).status).toBe(201);
      given.get(name)?.push({ month, value: decimalOf(text) });
      if (isTwice) {
        if (random() < 0.02) edge = connectEdge(edge.tenant);
        expect((await ingest(edge, event)).headers.get("idempotent-replayed")).toBe("true");
      }
      if (random() < 0.03) await edge.services.usageFold.fold(edge.tenant);
    }
    const totals = NAMES.flatMap((name) =>
      [0, 1].map((month) => {
        const values = (given.get(name) ?? []).filter((one) => one.month === month).map(({ value }) => value);
        return totalPrice(catalog, name, usageOf(name, tallyOf(values)));
      }),
    );
    expect(decimalText(sumOf(costs))).toBe(decimalText(sumOf(totals)));
  },
  240_000,
);

it("a thousand calculations leave every table's rows as they were", async () => {
  const edge = await setupEdge();
  await edge.putCatalog(pricedCatalog());
  await ingest(edge, meterData("SUM", "1"));
  const before = await rowCounts();
  expect(before["facts"]).toBeGreaterThan(0);
  for (let i = 0; i < 1_000; i++)
    await predicted(edge, meterData("SUM", String(i), { reference: `counted-${i}-00000` }));
  expect(await rowCounts()).toEqual(before);
});

async function folded(edge: TestEdge): Promise<boolean> {
  const row = await bindings.LEDGER.prepare(
    "SELECT (SELECT folded FROM usage_progress WHERE tenant = ?1) = (SELECT max(id) FROM facts WHERE tenant = ?1) AS done",
  )
    .bind(edge.tenant)
    .first<{ done: number }>();
  return row?.done === 1;
}

let edge: TestEdge;
beforeAll(async () => {
  edge = await setupEdge();
  await edge.putCatalog(pricedCatalog());
});

it("folds side by side count a fact once", async () => {
  const datas = Array.from({ length: 2_500 }, (_, i) => meterData("SUM", "0.1", { reference: `side-${i}-0000000` }));
  const answer = await ingest(edge, { meter_datas: datas }, "/v1/ingest/meter-datas");
  expect(answer.status).toBe(200);
  const before = await costOf(edge, meterData("SUM", "1"));
  const other = connectEdge(edge.tenant);
  await Promise.all([edge, other, edge].map((one) => one.services.usageFold.fold(edge.tenant)));
  expect(await folded(edge)).toBe(true);
  const sums = await bindings.LEDGER.prepare("SELECT sum, count FROM day_totals WHERE tenant = ?1")
    .bind(edge.tenant)
    .all();
  expect(sums.results).toEqual([{ sum: "250", count: 2_500 }]);
  expect(await costOf(edge, meterData("SUM", "1"))).toBe(before);
});

it("more distinct values in a day than are kept are still kept apart", async () => {
  const datas = Array.from({ length: 1_500 }, (_, i) =>
    meterData("UNIQUE", `${i}.0`, { reference: `uniq-${i}-0000000` }),
  );
  expect((await ingest(edge, { meter_datas: datas }, "/v1/ingest/meter-datas")).status).toBe(200);
  await ingest(
    edge,
    meterData("UNIQUE", "7.00", { timestamp: new Date(Date.UTC(2026, 2, 10) - DAY_MS).toISOString() }),
  );
  for (let round = 0; round < 2; round++) {
    expect(await costOf(edge, meterData("UNIQUE", "1499"))).toBe("0");
    expect(await costOf(edge, meterData("UNIQUE", "1500"))).toBe("0.7");
    await edge.services.usageFold.fold(edge.tenant);
  }
  const whole = await predicted(edge, meterData("UNIQUE", "1500"));
  expect(whole.details[0]?.periods[0]?.start_at).toBe("2026-03-01T00:00:00Z");
});
