/** What one more event costs, explained: the parts of the price after it less those before it. */
import { type Decimal, decimalText, ZERO } from "./decimal.ts";
import type { PartKind, Price, PricePart } from "./price.ts";
import type { PriceRule } from "./price-rule.ts";

/** One part of a line's amount; the amounts of all parts add up to it. */
export interface Detail {
  /** Of the part's band; null for the last one, and for a part that belongs to none. */
  readonly tier_top_bound: string | null;
  /** How many units more (or fewer) are priced here; 0 for fixed amounts and clamps. */
  readonly units: string;
  /** Per unit, or per block where there is a block_size. */
  readonly rate: string;
  readonly amount: string;
  readonly part: PartKind;
  readonly block_size?: string;
}

export interface MarginalPrice {
  readonly amount: Decimal;
  readonly details: readonly Detail[];
}

export function marginalPrice(rule: PriceRule, before: Price, after: Price): MarginalPrice {
  const changes = new Map<string, PricePart>();
  for (const part of after.parts) changes.set(keyOf(part), part);
  for (const part of before.parts) {
    const { units, amount } = changes.get(keyOf(part)) ?? { units: ZERO, amount: ZERO };
    changes.set(keyOf(part), { ...part, units: units.minus(part.units), amount: amount.minus(part.amount) });
  }
  const changed = [...changes.values()].filter(({ units, amount }) => !units.eq(ZERO) || !amount.eq(ZERO));
  return {
    amount: after.amount.minus(before.amount),
    details: changed.sort(byPlace).map((part) => detailOf(rule, part)),
  };
}

function keyOf({ kind, band }: PricePart): string {
  return `${kind} ${band?.index ?? ""}`;
}

const PLACE: Record<PartKind, number> = { INCLUDED: 0, UNITS: 1, FIXED: 2, MINIMUM: 4, MAXIMUM: 5 };

/** What was included, then band by band its units and its fixed amount, then what clamps did. */
function byPlace(a: PricePart, b: PricePart): number {
  if (a.band !== null && b.band !== null && a.band.index !== b.band.index) return a.band.index - b.band.index;
  return PLACE[a.kind] - PLACE[b.kind];
}

function detailOf(rule: PriceRule, { kind, band, units, amount }: PricePart): Detail {
  const blockSize = kind === "UNITS" && rule.type !== "PASS_THROUGH" ? (band?.blockSize ?? null) : null;
  return {
    tier_top_bound: band === null || band.bound === null ? null : decimalText(band.bound),
    units: decimalText(units),
    rate: decimalText(rateOf(rule, { kind, band, units, amount })),
    amount: decimalText(amount),
    part: kind,
    ...(blockSize === null ? {} : { block_size: decimalText(blockSize) }),
  };
}

function rateOf(rule: PriceRule, { kind, band }: PricePart): Decimal {
  if (kind !== "UNITS" || band === null) return ZERO;
  return rule.type === "PASS_THROUGH" ? band.share : band.amount;
}
