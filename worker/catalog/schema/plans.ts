/** Pricing plans down to their bands, as the catalog writes them. */
import { z } from "zod";
import { OPERATORS, PRICING_TYPES } from "../../pricing/catalog.ts";
import { currencyText, decimalText, nameText, sizeText, volumeText } from "./texts.ts";

/** Far beyond any bill; keeps every boundary a date that JavaScript can hold. */
const PERIOD_VALUE_MAX = 1_200;

const band = z.strictObject({
  tier_top_bound: sizeText.nullish(),
  amount: decimalText.nullish(),
  block_size: sizeText.nullish(),
  block_rounding: z.enum(["NONE", "UP"]).nullish(),
  fixed_amount: decimalText.nullish(),
  percentage: decimalText.nullish(),
});

const periodValue = z
  .union([z.number(), z.string().regex(/^\d{1,10}$/)], { error: "must be a whole number" })
  .refine((value) => {
    const units = Number(value);
    return Number.isInteger(units) && units >= 1 && units <= PERIOD_VALUE_MAX;
  }, `must be a whole number from 1 to ${PERIOD_VALUE_MAX}`);

const condition = z.strictObject({
  property: nameText,
  operator: z.enum(OPERATORS),
  value: z.union([z.string().max(1_000), z.array(z.string().max(1_000)).min(1).max(10_000)], {
    error: "must be a string, or for IN and NOT_IN a list of them",
  }),
});

const config = z.strictObject({
  id: nameText,
  pricing_type: z.enum(PRICING_TYPES),
  currency: currencyText,
  billing_period: z.strictObject({ type: z.enum(["DAY", "WEEK", "MONTH", "YEAR"]), value: periodValue }),
  included_volume: z.strictObject({ number: volumeText }).nullish(),
  conditions: z.array(condition).max(100).default([]),
  bands: z.array(band).max(1_000).default([]),
  min_amount: decimalText.nullish(),
  max_amount: decimalText.nullish(),
});

const pricingItem = z.strictObject({
  id: nameText,
  product_item_id: nameText.nullish(),
  meter_reference: nameText,
  meter_value_reference: nameText,
  configs: z.array(config).max(1_000).default([]),
});

const pricing = z.strictObject({ id: nameText, pricing_items: z.array(pricingItem).max(1_000).default([]) });

export const pricingPlanSchema = z.strictObject({
  id: nameText,
  reference: nameText,
  pricings: z.array(pricing).max(1_000).default([]),
});
