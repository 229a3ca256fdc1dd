/** An event of each of Solvimon's kinds, as a client would send it. */
import type { SolvimonKind } from "../../shared/events/kind.ts";

type Example = { readonly reference: string; readonly timestamp: string } & Readonly<Record<string, unknown>>;

const PRICING = { pricing_id: "pric_1", pricing_item_id: "prit_1", pricing_item_config_id: "pric_config_1" };
const PERIOD = { start_at: "2026-11-01T00:00:00Z", end_at: "2026-12-01T00:00:00Z", ratio: null };
const timestamp = "2026-11-01T10:05:03Z";

export const EXAMPLE: Record<SolvimonKind, Example> = {
  persist: {
    customer_id: "cust_1",
    ...PRICING,
    pricing_plan_subscription_id: null,
    reference: "persist-2026-11-0001",
    period: PERIOD,
    persist_usage: "120.5",
    included_volume: { number: "100" },
    timestamp,
  },
  charge: {
    product_item_id: "prit_1",
    ...PRICING,
    customer_reference: "acme",
    reference: "charge-2026-11-0001",
    description: "Setup fee",
    value: { amount: { quantity: "49.90", currency: "EUR" } },
    period: PERIOD,
    timestamp,
  },
  adjustment: {
    product_item_id: "prit_1",
    customer_reference: "acme",
    reference: "adjustment-2026-11-0001",
    amount: { quantity: "-10.00", currency: "EUR" },
    timestamp,
  },
  "meter-data": {
    reference: "meter-data-2026-11-0001",
    customer_reference: "acme",
    meter_reference: "web-egress",
    timestamp,
    meter_properties: [{ reference: "region", value: "eu" }],
    meter_values: [{ reference: "bytes", number: "0.1234567890123456789" }],
  },
};
