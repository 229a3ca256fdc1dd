/** A catalog with two customers, four subscriptions and a price wherever a test looks for one. */

import type { PricingCatalog, PricingItem, PricingItemConfig } from "../../../worker/pricing/catalog.ts";
import { createPriceBook, type PriceBook } from "../../../worker/pricing/price-book.ts";
import { configWith } from "./priced.ts";

function item(id: string, value: string, configs: (Partial<PricingItemConfig> & { id: string })[]): PricingItem {
  return { id, meter_reference: "api", meter_value_reference: value, configs: configs.map(configWith) };
}

const value = { type: "NUMBER", calculation: "SUM", required: false } as const;

const CATALOG: PricingCatalog = {
  meters: [
    {
      id: "m1",
      reference: "api",
      status: "ACTIVE",
      meter_values: [
        { ...value, id: "v1", reference: "calls", required: true },
        { ...value, id: "v2", reference: "seats", calculation: "UNIQUE" },
        { ...value, id: "v3", reference: "fees", type: "AMOUNT" },
        { ...value, id: "v4", reference: "credits" },
      ],
      meter_properties: [
        { id: "p1", reference: "region", type: "ENUM", enum_values: ["eu", "us"], required: false },
        { id: "p2", reference: "size", type: "NUMBER", required: false },
      ],
    },
    {
      id: "m2",
      reference: "strict",
      status: "ACTIVE",
      meter_values: [],
      meter_properties: [{ reference: "host", type: "STRING", required: true }],
    },
  ],
  customers: [
    { id: "c1", reference: "one" },
    { id: "c2", reference: "two" },
  ],
  subscriptions: [
    { id: "s1", reference: "first", customer_id: "c1", pricing_plan_id: "plan", start_at: "2026-01-01T00:00:00Z" },
    {
      id: "s2",
      reference: "second",
      customer_id: "c1",
      pricing_plan_id: "yearly",
      start_at: "2026-03-01T00:00:00Z",
      end_at: "2026-07-01T00:00:00Z",
    },
    { id: "s3", reference: "third", customer_id: "c2", pricing_plan_id: "plan", start_at: "2026-01-01T00:00:00Z" },
    { id: "s4", reference: "dollars", customer_id: "c2", pricing_plan_id: "dollars", start_at: "2026-09-01T00:00:00Z" },
  ],
  pricing_plans: [
    {
      id: "plan",
      pricings: [
        {
          pricing_items: [
            item("i1", "calls", [
              { id: "all", bands: [{ amount: "1" }] },
              {
                id: "eu",
                bands: [{ amount: "0.5" }],
                conditions: [{ property: "region", operator: "EQUALS", value: "eu" }],
              },
            ]),
            item("i2", "seats", [{ id: "seats", bands: [{ amount: "10" }] }]),
            item("i3", "fees", [{ id: "fees", pricing_type: "PASS_THROUGH", bands: [{ percentage: "3" }] }]),
            item("i4", "credits", [{ id: "top-up", pricing_type: "FLAT_TOP_UP" }]),
          ],
        },
      ],
    },
    {
      id: "yearly",
      pricings: [
        {
          pricing_items: [
            item("i5", "calls", [
              { id: "year", bands: [{ amount: "2" }], billing_period: { type: "YEAR", value: "1" } },
            ]),
          ],
        },
      ],
    },
    {
      id: "dollars",
      pricings: [{ pricing_items: [item("i6", "calls", [{ id: "usd", currency: "USD", bands: [{ amount: "3" }] }])] }],
    },
  ],
};

export function smallBook(): PriceBook {
  return createPriceBook(CATALOG);
}
