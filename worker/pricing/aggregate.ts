/**
 * What is kept of the usage so far, so that one more event can be added exactly, and the quantity it comes to.
 * Kept are a sum and a count, an extreme, or the number of distinct values: never the events.
 */
import type { Calculation } from "./catalog.ts";
import { countOf, type Decimal, decimalText, greater, lesser, ONE, ZERO } from "./decimal.ts";

export type Usage =
  | { readonly calculation: "SUM"; readonly sum: Decimal }
  /** Null: no usage yet. */
  | { readonly calculation: "MAX" | "MIN"; readonly extreme: Decimal | null }
  | { readonly calculation: "AVERAGE"; readonly sum: Decimal; readonly count: number }
  /** `known` holds, by their decimal texts, at least those of the values to be added that were there before. */
  | { readonly calculation: "UNIQUE"; readonly distinct: number; readonly known: ReadonlySet<string> };

/** A quantity as a fraction, so that an average is divided only where its price is. */
export interface Quantity {
  readonly units: Decimal;
  /** At least 1. */
  readonly per: Decimal;
}

export function noUsage(calculation: Calculation): Usage {
  switch (calculation) {
    case "SUM":
      return { calculation, sum: ZERO };
    case "MAX":
    case "MIN":
      return { calculation, extreme: null };
    case "AVERAGE":
      return { calculation, sum: ZERO, count: 0 };
    case "UNIQUE":
      return { calculation, distinct: 0, known: new Set() };
  }
}

export function withValue(usage: Usage, value: Decimal): Usage {
  switch (usage.calculation) {
    case "SUM":
      return { ...usage, sum: usage.sum.plus(value) };
    case "MAX":
      return { ...usage, extreme: usage.extreme === null ? value : greater(usage.extreme, value) };
    case "MIN":
      return { ...usage, extreme: usage.extreme === null ? value : lesser(usage.extreme, value) };
    case "AVERAGE":
      return { ...usage, sum: usage.sum.plus(value), count: usage.count + 1 };
    case "UNIQUE": {
      const text = decimalText(value);
      if (usage.known.has(text)) return usage;
      return { ...usage, distinct: usage.distinct + 1, known: new Set([...usage.known, text]) };
    }
  }
}

/** Null where there is no quantity: nothing has no maximum, minimum, average or distinct value. */
export function quantityOf(usage: Usage): Quantity | null {
  switch (usage.calculation) {
    case "SUM":
      return { units: usage.sum, per: ONE };
    case "MAX":
    case "MIN":
      return usage.extreme === null ? null : { units: usage.extreme, per: ONE };
    case "AVERAGE":
      return usage.count === 0 ? null : { units: usage.sum, per: countOf(usage.count) };
    case "UNIQUE":
      return usage.distinct === 0 ? null : { units: countOf(usage.distinct), per: ONE };
  }
}
