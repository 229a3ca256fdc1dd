/** What a set of values comes to, exactly; whole days of it are kept, and sets add up. */
import type { Usage } from "../pricing/aggregate.ts";
import type { Calculation } from "../pricing/catalog.ts";
import { type Decimal, decimalText, greater, keptDecimal, lesser, sumOf } from "../pricing/decimal.ts";
import type { TotalRow } from "./usage-sql.ts";

export interface Tally {
  readonly sum: Decimal;
  readonly count: number;
  /** Null of nothing. */
  readonly least: Decimal | null;
  readonly greatest: Decimal | null;
  /** Texts of the numerically distinct values; null where there are too many to keep. */
  readonly distinct: ReadonlySet<string> | null;
}

export function tallyOfRow(row: TotalRow): Tally {
  return {
    sum: keptDecimal(row.sum),
    count: row.count,
    least: keptDecimal(row.least),
    greatest: keptDecimal(row.greatest),
    distinct: row.distinct_values === null ? null : new Set<string>(JSON.parse(row.distinct_values)),
  };
}

/** Bounds of the distinct values kept of a day, in number and in characters. */
export const DISTINCT_MAX = 1_000;
const DISTINCT_CHARACTERS_MAX = 8_000;

export function tallyOf(values: readonly Decimal[]): Tally {
  return {
    sum: sumOf(values),
    count: values.length,
    least: values.reduce<Decimal | null>(lesserOf, null),
    greatest: values.reduce<Decimal | null>(greaterOf, null),
    distinct: new Set(values.map(decimalText)),
  };
}

export function joined(tallies: readonly Tally[]): Tally {
  const distinct = new Set<string>();
  for (const tally of tallies) for (const text of tally.distinct ?? []) distinct.add(text);
  return {
    sum: sumOf(tallies.map(({ sum }) => sum)),
    count: tallies.reduce((count, tally) => count + tally.count, 0),
    least: tallies.map(({ least }) => least).reduce(lesserOf, null),
    greatest: tallies.map(({ greatest }) => greatest).reduce(greaterOf, null),
    distinct: tallies.some((tally) => tally.distinct === null) ? null : distinct,
  };
}

/** As it may be kept: a set of distinct values beyond the bounds is given up. */
export function bounded(tally: Tally): Tally {
  const { distinct } = tally;
  if (distinct === null) return tally;
  const characters = [...distinct].reduce((sum, text) => sum + text.length, 0);
  return distinct.size <= DISTINCT_MAX && characters <= DISTINCT_CHARACTERS_MAX ? tally : { ...tally, distinct: null };
}

/** @throws Error for UNIQUE of a tally whose distinct values were given up. */
export function usageOf(calculation: Calculation, tally: Tally): Usage {
  switch (calculation) {
    case "SUM":
      return { calculation, sum: tally.sum };
    case "MAX":
      return { calculation, extreme: tally.greatest };
    case "MIN":
      return { calculation, extreme: tally.least };
    case "AVERAGE":
      return { calculation, sum: tally.sum, count: tally.count };
    case "UNIQUE":
      if (tally.distinct === null) throw new Error("distinct values were not read");
      return { calculation, distinct: tally.distinct.size, known: tally.distinct };
  }
}

function lesserOf(a: Decimal | null, b: Decimal | null): Decimal | null {
  return a === null || b === null ? (a ?? b) : lesser(a, b);
}

function greaterOf(a: Decimal | null, b: Decimal | null): Decimal | null {
  return a === null || b === null ? (a ?? b) : greater(a, b);
}
