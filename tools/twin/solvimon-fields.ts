/** The fields that Solvimon's ingest operations require, in the order of its documentation. */
import type { JsonObject } from "../../shared/json/value.ts";
import type { SolvimonKind } from "./route.ts";

interface RequiredField {
  readonly name: string;
  /** The key must be there, its value may be null. */
  readonly nullable?: true;
}

const PRICING_FIELDS: readonly RequiredField[] = [
  { name: "pricing_id" },
  { name: "pricing_item_id" },
  { name: "pricing_item_config_id" },
];

const REQUIRED: Record<SolvimonKind, readonly RequiredField[]> = {
  persist: [
    { name: "customer_id", nullable: true },
    ...PRICING_FIELDS,
    { name: "pricing_plan_subscription_id", nullable: true },
  ],
  charge: [{ name: "product_item_id" }, ...PRICING_FIELDS],
  adjustment: [{ name: "product_item_id" }],
  "meter-data": [],
};

export type FieldError = { readonly code: "MISSING_FIELD" | "INVALID_FIELD"; readonly field: string };

/** The first required field that is absent or no string; null where there is none. */
export function firstFieldError(kind: SolvimonKind, event: JsonObject): FieldError | null {
  for (const { name, nullable } of REQUIRED[kind]) {
    const value = event.get(name);
    if (value === undefined) return { code: "MISSING_FIELD", field: name };
    if (value === null && nullable) continue;
    if (typeof value !== "string") return { code: "INVALID_FIELD", field: name };
  }
  return null;
}
