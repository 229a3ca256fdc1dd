/**
 * The price of a quantity in one billing period, as parts that add up to it exactly.
 *
 * billable b = max(0, q − included); b is priced band by band, then clamped once b > 0. Quantities are fractions
 * (see Quantity): a band's units and bounds are compared multiplied out, and each charge is divided once, last.
 */
import type { Quantity } from "./aggregate.ts";
import { ceilDivide, type Decimal, divide, greater, lesser, sumOf, ZERO } from "./decimal.ts";
import type { PriceBand, PriceRule } from "./price-rule.ts";

export type PartKind =
  /** Units covered by the included volume, free. */
  | "INCLUDED"
  /** Units at a rate, or an amount passed through. */
  | "UNITS"
  | "FIXED"
  /** What a clamp adds, or takes off. */
  | "MINIMUM"
  | "MAXIMUM";

export interface PricePart {
  readonly kind: PartKind;
  /** Null where it belongs to no band. */
  readonly band: PriceBand | null;
  readonly units: Decimal;
  readonly amount: Decimal;
}

export interface Price {
  readonly amount: Decimal;
  readonly parts: readonly PricePart[];
}

/** @param quantity null where there is none (see quantityOf): it costs nothing. */
export function priceOf(rule: PriceRule, quantity: Quantity | null): Price {
  if (quantity === null) return { amount: ZERO, parts: [] };
  const { units, per } = quantity;
  const included = rule.included.times(per);
  const parts = includedPart(lesser(units, included), per);
  const billable = units.minus(included);
  if (!billable.gt(ZERO)) return { amount: ZERO, parts };
  return clamped(rule, [...parts, ...chargesOf(rule, { units: billable, per })]);
}

function includedPart(units: Decimal, per: Decimal): PricePart[] {
  if (!units.gt(ZERO)) return [];
  return [{ kind: "INCLUDED", band: null, units: divide(units, per), amount: ZERO }];
}

/** @param billable above 0. */
function chargesOf(rule: PriceRule, billable: Quantity): PricePart[] {
  const entered = rule.bands.filter((band) => billable.units.gt(band.above.times(billable.per)));
  switch (rule.type) {
    case "NONE":
      return [];
    case "FIXED":
    case "STAIR_STEP":
      return entered.flatMap(fixedPart);
    case "FLAT":
    case "TOP_TIERED":
      return entered.slice(-1).flatMap((band) => [unitsPart(band, billable), ...fixedPart(band)]);
    case "TIERED":
      return entered.flatMap((band) => [unitsPart(band, shareOf(band, billable)), ...fixedPart(band)]);
    case "PASS_THROUGH":
      return entered.flatMap((band) => [passedPart(band, billable), ...fixedPart(band)]);
  }
}

/** The units of a quantity that lie within an entered band. */
function shareOf(band: PriceBand, { units, per }: Quantity): Quantity {
  const upTo = band.bound === null ? units : lesser(units, band.bound.times(per));
  return { units: upTo.minus(band.above.times(per)), per };
}

function unitsPart(band: PriceBand, { units, per }: Quantity): PricePart {
  return { kind: "UNITS", band, units: divide(units, per), amount: chargeOf(band, units, per) };
}

/** NONE: units × amount ÷ block size. UP: every block begun at the amount. */
function chargeOf(band: PriceBand, units: Decimal, per: Decimal): Decimal {
  if (band.blockSize === null) return divide(units.times(band.amount), per);
  const size = band.blockSize.times(per);
  return band.blocksRoundedUp ? ceilDivide(units, size).times(band.amount) : divide(units.times(band.amount), size);
}

function passedPart(band: PriceBand, { units, per }: Quantity): PricePart {
  return { kind: "UNITS", band, units: divide(units, per), amount: divide(units.times(band.share), per) };
}

function fixedPart(band: PriceBand): PricePart[] {
  return band.fixedAmount === null ? [] : [{ kind: "FIXED", band, units: ZERO, amount: band.fixedAmount }];
}

function clamped(rule: PriceRule, parts: readonly PricePart[]): Price {
  const amount = sumOf(parts.map((part) => part.amount));
  const raised = rule.minAmount === null ? amount : greater(amount, rule.minAmount);
  const final = rule.maxAmount === null ? raised : lesser(raised, rule.maxAmount);
  if (final.eq(amount)) return { amount, parts };
  const kind = final.gt(amount) ? "MINIMUM" : "MAXIMUM";
  return { amount: final, parts: [...parts, { kind, band: null, units: ZERO, amount: final.minus(amount) }] };
}
