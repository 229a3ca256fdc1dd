/** A tenant with one meter, priced in every way of adding up, and what tests ask of its prices. */
import type { CostPrediction } from "../../../worker/pricing/predict.ts";
import { bindings, type TestEdge } from "./edge.ts";

const CALCULATIONS = ["SUM", "MAX", "MIN", "AVERAGE", "UNIQUE"] as const;

const MONTHLY = { currency: "EUR", billing_period: { type: "MONTH", value: 1 } };
const TIERS = [
  { tier_top_bound: "100", amount: "0.10" },
  { tier_top_bound: "1000", amount: "0.0333" },
  { tier_top_bound: null, amount: "0.01", fixed_amount: "5" },
];

export interface CatalogOptions {
  readonly startAt?: string;
  readonly subscriptions?: readonly Record<string, unknown>[];
  readonly configs?: Readonly<Record<string, readonly Record<string, unknown>[]>>;
  readonly [section: string]: unknown;
}

/** Values s, max, min, avg, uniq by their calculation; s is tiered, the others flat. */
export function pricedCatalog({ startAt, subscriptions, configs = {}, ...sections }: CatalogOptions = {}) {
  const values = CALCULATIONS.map((calculation) => ({
    id: `mval_${calculation}`,
    reference: calculation,
    type: "NUMBER",
    calculation,
    required: false,
  }));
  const defaults: Record<string, readonly Record<string, unknown>[]> = {
    SUM: [{ id: "c_SUM", pricing_type: "TIERED", ...MONTHLY, included_volume: { number: "10.5" }, bands: TIERS }],
    ...Object.fromEntries(
      CALCULATIONS.slice(1).map((name) => [
        name,
        [{ id: `c_${name}`, pricing_type: "FLAT", ...MONTHLY, bands: [{ amount: "0.7" }] }],
      ]),
    ),
    PAID: [{ id: "c_PAID", pricing_type: "PASS_THROUGH", ...MONTHLY, bands: [{ percentage: "2.5" }] }],
    ...configs,
  };
  return {
    meters: [
      {
        id: "metr_1",
        reference: "traffic",
        status: "ACTIVE",
        meter_values: [
          ...values,
          { id: "mval_PAID", reference: "PAID", type: "AMOUNT", calculation: "SUM", required: false },
        ],
        meter_properties: [{ id: "mprp_1", reference: "region", type: "STRING", required: false }],
      },
    ],
    customers: [
      { id: "cust_1", reference: "acme" },
      { id: "cust_2", reference: "other" },
    ],
    subscriptions: subscriptions ?? [
      {
        id: "ppsu_1",
        reference: "sub-1",
        customer_id: "cust_1",
        pricing_plan_id: "plan_1",
        start_at: startAt ?? "2026-01-01T00:00:00Z",
      },
    ],
    pricing_plans: [
      {
        id: "plan_1",
        reference: "plan",
        pricings: [
          {
            id: "pric_1",
            pricing_items: Object.entries(defaults).map(([name, list]) => ({
              id: `item_${name}`,
              meter_reference: "traffic",
              meter_value_reference: name,
              configs: list,
            })),
          },
        ],
      },
    ],
    ...sections,
  };
}

export const meterData = (value: string, number: string, extra: Record<string, unknown> = {}) => ({
  customer_reference: "acme",
  meter_reference: "traffic",
  timestamp: "2026-03-10T12:00:00Z",
  meter_values: [{ reference: value, number }],
  ...extra,
});

export async function calculate(edge: TestEdge, event: unknown, query = "?cost_prediction=true"): Promise<Response> {
  const body = new TextEncoder().encode(typeof event === "string" ? event : JSON.stringify(event));
  return edge.request(`/v1/events/calculate${query}`, { method: "POST", body });
}

export async function predicted(edge: TestEdge, event: unknown): Promise<CostPrediction> {
  const answer = await calculate(edge, event);
  if (answer.status !== 201) throw new Error(await answer.text());
  return (await answer.json<{ cost_prediction: CostPrediction }>()).cost_prediction;
}

/** The amount without tax; "0" where no price asks for it. */
export async function costOf(edge: TestEdge, event: unknown): Promise<string> {
  return (await predicted(edge, event)).details[0]?.amount_excluding_tax.quantity ?? "0";
}

export async function ingest(edge: TestEdge, event: unknown, path = "/v1/ingest/meter-data"): Promise<Response> {
  return edge.request(path, { method: "POST", body: new TextEncoder().encode(JSON.stringify(event)) });
}

/** Rows of every table. */
export async function rowCounts(): Promise<Record<string, number>> {
  const tables = await bindings.LEDGER.prepare(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_cf%' ESCAPE '\\'",
  ).all<{ name: string }>();
  const counts = tables.results.map(async ({ name }) => {
    const row = await bindings.LEDGER.prepare(`SELECT count(*) AS n FROM "${name}"`).first<{ n: number }>();
    return [name, row?.n ?? -1] as const;
  });
  return Object.fromEntries(await Promise.all(counts));
}
