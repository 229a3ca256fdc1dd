/**
 * The price of a quantity, written a second time and otherwise: whole numbers of 10^-12, the bands eaten up one
 * after the other. For configs whose amounts, bounds and sizes have few enough places that nothing is cut.
 */
import type { Band, PricingItemConfig } from "../../../worker/pricing/catalog.ts";

const UNIT = 10n ** 12n;

/** @param units a decimal of at most 12 places, the quantity times `per`. @returns the price times 10^12. */
export function secondPrice(config: PricingItemConfig, units: string, per: bigint): bigint {
  const billable = scaled(units) - scaled(config.included_volume?.number ?? "0") * per;
  if (billable <= 0n) return 0n;
  let price = secondCharge(config, billable, per);
  if (config.min_amount && price < scaled(config.min_amount)) price = scaled(config.min_amount);
  if (config.max_amount && price > scaled(config.max_amount)) price = scaled(config.max_amount);
  return price;
}

function secondCharge(config: PricingItemConfig, billable: bigint, per: bigint): bigint {
  const [first = {}] = config.bands;
  switch (config.pricing_type) {
    case "FIXED":
      return scaled(first.fixed_amount);
    case "FLAT":
      return rated(first, billable, per) + scaled(first.fixed_amount);
    case "PASS_THROUGH":
      return quotient(billable * scaled(first.percentage ?? "100"), 100n * UNIT * per) + scaled(first.fixed_amount);
    case "TOP_TIERED": {
      const band =
        config.bands.find((one) => !one.tier_top_bound || billable <= scaled(one.tier_top_bound) * per) ?? {};
      return rated(band, billable, per) + scaled(band.fixed_amount);
    }
    case "TIERED":
    case "STAIR_STEP":
      return eaten(config, billable, per);
    default:
      return 0n;
  }
}

function eaten(config: PricingItemConfig, billable: bigint, per: bigint): bigint {
  let left = billable;
  let from = 0n;
  let price = 0n;
  for (const band of config.bands) {
    if (left <= 0n) break;
    const width = band.tier_top_bound ? scaled(band.tier_top_bound) * per - from : left;
    const bite = width < left ? width : left;
    price += scaled(band.fixed_amount) + (config.pricing_type === "TIERED" ? rated(band, bite, per) : 0n);
    left -= bite;
    from += bite;
  }
  return price;
}

function rated(band: Band, units: bigint, per: bigint): bigint {
  const amount = scaled(band.amount);
  if (!band.block_size) return quotient(units * amount, UNIT * per);
  const size = scaled(band.block_size) * per;
  if (band.block_rounding !== "UP") return quotient(units * amount, size);
  return ((units + size - 1n) / size) * amount;
}

/** Half even. @param by above 0. */
function quotient(value: bigint, by: bigint): bigint {
  const magnitude = value < 0n ? -value : value;
  const down = magnitude / by;
  const twice = 2n * (magnitude % by);
  const up = twice > by || (twice === by && down % 2n === 1n) ? 1n : 0n;
  return value < 0n ? -(down + up) : down + up;
}

/** A decimal of at most 12 places in whole numbers of 10^-12. */
export function scaled(text: string | null | undefined): bigint {
  const [whole = "0", fraction = ""] = (text ?? "0").replace("-", "").split(".");
  const magnitude = BigInt(whole) * UNIT + BigInt(fraction.padEnd(12, "0"));
  return text?.startsWith("-") ? -magnitude : magnitude;
}
