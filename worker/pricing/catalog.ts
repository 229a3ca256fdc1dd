/** What pricing needs of a tenant's catalog; worker/catalog checks documents of this shape. Decimals are texts. */

type Maybe<T> = T | null | undefined;

export const PRICING_TYPES = [
  "NONE",
  "FIXED",
  "FLAT",
  "TIERED",
  "TOP_TIERED",
  "STAIR_STEP",
  "PASS_THROUGH",
  "FLAT_TOP_UP",
  "TIERED_TOP_UP",
  "STAIR_STEP_TOP_UP",
] as const;
export type PricingType = (typeof PRICING_TYPES)[number];

export const CALCULATIONS = ["SUM", "MAX", "MIN", "AVERAGE", "UNIQUE"] as const;
export type Calculation = (typeof CALCULATIONS)[number];

export const OPERATORS = ["EQUALS", "NOT_EQUALS", "IN", "NOT_IN"] as const;
export type Operator = (typeof OPERATORS)[number];

export const PROPERTY_TYPES = ["NUMBER", "ENUM", "STRING"] as const;
export type PropertyType = (typeof PROPERTY_TYPES)[number];

export interface MeterValue {
  readonly id?: Maybe<string>;
  readonly reference: string;
  readonly type: "NUMBER" | "AMOUNT";
  readonly calculation: Calculation;
  readonly required: boolean;
}

export interface MeterProperty {
  readonly id?: Maybe<string>;
  readonly reference: string;
  readonly type: PropertyType;
  readonly enum_values?: Maybe<readonly string[]>;
  readonly required: boolean;
}

export interface Meter {
  readonly id: string;
  readonly reference: string;
  /** An ARCHIVED one takes nothing more. */
  readonly status: "DRAFT" | "ACTIVE" | "DEPRECATED" | "ARCHIVED";
  readonly meter_values: readonly MeterValue[];
  readonly meter_properties: readonly MeterProperty[];
}

export interface Customer {
  readonly id: string;
  readonly reference: string;
}

export interface Subscription {
  readonly id: string;
  readonly reference: string;
  readonly customer_id: string;
  readonly pricing_plan_id: string;
  readonly start_at: string;
  readonly end_at?: Maybe<string>;
}

export interface Band {
  /** Inclusive; null or absent for the last one, which has no end. */
  readonly tier_top_bound?: Maybe<string>;
  readonly amount?: Maybe<string>;
  readonly block_size?: Maybe<string>;
  readonly block_rounding?: Maybe<"NONE" | "UP">;
  readonly fixed_amount?: Maybe<string>;
  readonly percentage?: Maybe<string>;
}

export interface Condition {
  readonly property: string;
  readonly operator: Operator;
  readonly value: string | readonly string[];
}

export interface PricingItemConfig {
  readonly id: string;
  readonly pricing_type: PricingType;
  readonly currency: string;
  readonly billing_period: { readonly type: "DAY" | "WEEK" | "MONTH" | "YEAR"; readonly value: string | number };
  readonly included_volume?: Maybe<{ readonly number: string }>;
  readonly conditions: readonly Condition[];
  readonly bands: readonly Band[];
  readonly min_amount?: Maybe<string>;
  readonly max_amount?: Maybe<string>;
}

export interface PricingItem {
  readonly id: string;
  readonly meter_reference: string;
  readonly meter_value_reference: string;
  readonly configs: readonly PricingItemConfig[];
}

export interface PricingPlan {
  readonly id: string;
  readonly pricings: readonly { readonly pricing_items: readonly PricingItem[] }[];
}

export interface PricingCatalog {
  readonly meters: readonly Meter[];
  readonly customers: readonly Customer[];
  readonly subscriptions: readonly Subscription[];
  readonly pricing_plans: readonly PricingPlan[];
}
