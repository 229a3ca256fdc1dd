/** Prices written shortly: a config by what matters in it, a quantity as a decimal, the amount as text. */
import type { Quantity } from "../../../worker/pricing/aggregate.ts";
import type { PricingItemConfig } from "../../../worker/pricing/catalog.ts";
import { countOf, decimalOf, decimalText } from "../../../worker/pricing/decimal.ts";
import { type Price, priceOf } from "../../../worker/pricing/price.ts";
import { type PriceRule, priceRuleOf } from "../../../worker/pricing/price-rule.ts";

export function configWith(config: Partial<PricingItemConfig>): PricingItemConfig {
  return {
    id: "config",
    pricing_type: "FLAT",
    currency: "EUR",
    billing_period: { type: "MONTH", value: 1 },
    conditions: [],
    bands: [],
    ...config,
  };
}

export function ruleWith(config: Partial<PricingItemConfig>): PriceRule {
  const rule = priceRuleOf(configWith(config));
  if (rule === null) throw new Error("a top-up has no rule");
  return rule;
}

export function quantity(units: string, per = 1): Quantity {
  return { units: decimalOf(units), per: countOf(per) };
}

export function amountOf(price: Pick<Price, "amount">): string {
  return decimalText(price.amount);
}

export function priceText(config: Partial<PricingItemConfig>, units: string): string {
  return amountOf(priceOf(ruleWith(config), quantity(units)));
}
