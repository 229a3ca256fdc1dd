/** A config with its decimals read, once for each catalog. */
import type { Band, PricingItemConfig, PricingType } from "./catalog.ts";
import { type Decimal, decimalOf, percentOf, ZERO } from "./decimal.ts";
import type { BillingPeriod } from "./periods.ts";

export type PricedType = Exclude<PricingType, `${string}_TOP_UP`>;

export interface PriceBand {
  readonly index: number;
  /** Bound of the band before, which is this one's exclusive lower bound. */
  readonly above: Decimal;
  /** Inclusive; null for no end. */
  readonly bound: Decimal | null;
  /** Per unit, or per block. */
  readonly amount: Decimal;
  readonly blockSize: Decimal | null;
  readonly blocksRoundedUp: boolean;
  readonly fixedAmount: Decimal | null;
  /** The part of an amount that is passed through: 1 for 100 %. */
  readonly share: Decimal;
}

export interface PriceRule {
  readonly type: PricedType;
  readonly included: Decimal;
  readonly bands: readonly PriceBand[];
  readonly minAmount: Decimal | null;
  readonly maxAmount: Decimal | null;
  readonly billing: BillingPeriod;
}

/** Null for a top-up, which Weir does not price. @param config of a checked catalog. */
export function priceRuleOf(config: PricingItemConfig): PriceRule | null {
  const type = pricedTypeOf(config.pricing_type);
  if (type === null) return null;
  return {
    type,
    included: decimalOf(config.included_volume?.number ?? "0"),
    bands: config.bands.map((band, index) => bandOf(band, index, config.bands[index - 1])),
    minAmount: maybeDecimal(config.min_amount),
    maxAmount: maybeDecimal(config.max_amount),
    billing: { unit: config.billing_period.type, value: Number(config.billing_period.value) },
  };
}

function pricedTypeOf(type: PricingType): PricedType | null {
  switch (type) {
    case "FLAT_TOP_UP":
    case "TIERED_TOP_UP":
    case "STAIR_STEP_TOP_UP":
      return null;
    default:
      return type;
  }
}

function bandOf(band: Band, index: number, before: Band | undefined): PriceBand {
  return {
    index,
    above: maybeDecimal(before?.tier_top_bound) ?? ZERO,
    bound: maybeDecimal(band.tier_top_bound),
    amount: maybeDecimal(band.amount) ?? ZERO,
    blockSize: maybeDecimal(band.block_size),
    blocksRoundedUp: band.block_rounding === "UP",
    fixedAmount: maybeDecimal(band.fixed_amount),
    share: percentOf(decimalOf(band.percentage ?? "100")),
  };
}

function maybeDecimal(text: string | null | undefined): Decimal | null {
  return text === null || text === undefined ? null : decimalOf(text);
}
