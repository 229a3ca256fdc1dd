/** The unit of totals: one value, in one currency, under one subscription naming, with one set of properties. */
import { type Decimal, readJsonNumber } from "../pricing/decimal.ts";
import type { GivenProperty, GivenQuantity, Measure, SubscriptionNaming } from "./measure.ts";
import type { ReadFact } from "./usage-sql.ts";

export type Series = readonly [
  id: string | null,
  reference: string | null,
  currency: string | null,
  subscription: SubscriptionNaming,
  properties: readonly GivenProperty[],
];

export const DAY_MS = 86_400_000;

export function dayOf(atMs: number): number {
  return Math.floor(atMs / DAY_MS);
}

export interface SeriesValue {
  /** JSON of a Series. */
  readonly series: string;
  readonly value: Decimal;
}

/** What a fact adds, series by series; a quantity beyond what Weir calculates with adds nothing. */
export function seriesValues({ context, quantities }: ReadFact): SeriesValue[] {
  const [subscription, properties]: Measure["context"] = JSON.parse(context);
  const given: readonly GivenQuantity[] = JSON.parse(quantities);
  return given.flatMap(([id, reference, currency, quantity]) => {
    const value = readJsonNumber(quantity);
    const series: Series = [id, reference, currency, subscription, properties];
    return value === null ? [] : [{ series: JSON.stringify(series), value }];
  });
}
