/** Random configs of every priced type, with few places, small numbers and edges that quantities really hit. */
import fc from "fast-check";
import type { Band, PricingItemConfig, PricingType } from "../../../worker/pricing/catalog.ts";
import { configWith } from "./priced.ts";

export const PRICED_TYPES = [
  "NONE",
  "FIXED",
  "FLAT",
  "TIERED",
  "TOP_TIERED",
  "STAIR_STEP",
  "PASS_THROUGH",
] as const satisfies readonly PricingType[];

/** A decimal text of `places` places between two whole numbers. */
export function decimals(min: number, max: number, places: number): fc.Arbitrary<string> {
  const unit = 10 ** places;
  return fc.integer({ min: min * unit, max: max * unit }).map((n) => {
    const digits = String(Math.abs(n)).padStart(places + 1, "0");
    const text = places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`;
    return n < 0 ? `-${text}` : text;
  });
}

/** Whole numbers, halves and cents of a few tens: they often meet a bound exactly. */
export function quantities(min = -20): fc.Arbitrary<string> {
  return fc.oneof(decimals(min, 80, 0), decimals(min, 80, 1), decimals(min, 80, 2));
}

function orNull<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> {
  return fc.option(arbitrary, { nil: null });
}

function bandWith(rateMin: number): fc.Arbitrary<Band> {
  return fc.record({
    amount: orNull(decimals(rateMin, 5, 3)),
    block_size: orNull(fc.constantFrom("0.5", "1", "3", "7", "10", "12.5")),
    block_rounding: fc.constantFrom("NONE", "UP", null),
    fixed_amount: orNull(decimals(rateMin, 9, 2)),
    percentage: orNull(decimals(rateMin, 120, 1)),
  });
}

/** @param rateMin 0 for configs in which nothing is negative. */
export function randomConfig(rateMin = -3): fc.Arbitrary<PricingItemConfig> {
  const bounds = fc
    .uniqueArray(fc.integer({ min: 1, max: 120 }), { maxLength: 4 })
    .map((halves) => halves.sort((a, b) => a - b).map((half) => String(half / 2)));
  return fc
    .record({
      pricing_type: fc.constantFrom(...PRICED_TYPES),
      included: orNull(fc.constantFrom("0", "1", "9.5", "20")),
      bounds,
      bands: fc.array(bandWith(rateMin), { minLength: 5, maxLength: 5 }),
      min_amount: orNull(decimals(Math.min(rateMin, 0), 20, 1)),
      clampWidth: orNull(fc.integer({ min: 0, max: 50 })),
    })
    .map(({ pricing_type, included, bounds: tops, bands, min_amount, clampWidth }) => {
      const isSingle = pricing_type === "FLAT" || pricing_type === "FIXED" || pricing_type === "PASS_THROUGH";
      const count = isSingle ? 1 : tops.length + 1;
      return configWith({
        pricing_type,
        included_volume: included === null ? null : { number: included },
        bands: bands
          .slice(0, count)
          .map((band, i) => ({ ...band, tier_top_bound: isSingle ? null : (tops[i] ?? null) })),
        min_amount,
        max_amount: clampWidth === null ? null : (Number(min_amount ?? "0") + clampWidth).toFixed(1),
      });
    });
}
