/**
 * Billing periods: boundary k is start_at in UTC plus k × value units, always counted from start_at, its day cut
 * to the month's end. So what began on 31 January ends February on its last day and March on the 31st again.
 */
import { daysInMonth } from "../../shared/events/date-time.ts";
import { daysMs, utc } from "./instant.ts";

export type PeriodUnit = "DAY" | "WEEK" | "MONTH" | "YEAR";

export interface BillingPeriod {
  readonly unit: PeriodUnit;
  /** Units a period, at least 1. */
  readonly value: number;
}

/** `[startMs, endMs)`. */
export interface Period {
  readonly startMs: number;
  readonly endMs: number;
}

/** The period that holds a moment. @param atMs not before startMs. */
export function periodAt(startMs: number, billing: BillingPeriod, atMs: number): Period {
  let k = estimatedIndex(startMs, billing, atMs);
  // Too high by one in a month whose day or time of day is not reached yet; never too low.
  if (boundaryAt(startMs, billing, k) > atMs) k--;
  return { startMs: boundaryAt(startMs, billing, k), endMs: boundaryAt(startMs, billing, k + 1) };
}

/** Boundary k of a subscription's periods. */
export function boundaryAt(startMs: number, { unit, value }: BillingPeriod, k: number): number {
  switch (unit) {
    case "DAY":
      return startMs + daysMs(k * value);
    case "WEEK":
      return startMs + daysMs(7 * k * value);
    case "MONTH":
      return plusMonths(startMs, k * value);
    case "YEAR":
      return plusMonths(startMs, 12 * k * value);
  }
}

function plusMonths(startMs: number, months: number): number {
  const start = new Date(startMs);
  const monthIndex = start.getUTCFullYear() * 12 + start.getUTCMonth() + months;
  const year = Math.floor(monthIndex / 12);
  const month = monthIndex - year * 12;
  const day = Math.min(start.getUTCDate(), daysInMonth(year, month + 1));
  const timeOfDayMs = startMs - utc(start.getUTCFullYear(), start.getUTCMonth(), start.getUTCDate());
  return utc(year, month, day) + timeOfDayMs;
}

function estimatedIndex(startMs: number, { unit, value }: BillingPeriod, atMs: number): number {
  if (unit === "DAY" || unit === "WEEK")
    return Math.floor((atMs - startMs) / daysMs(unit === "DAY" ? value : 7 * value));
  const [start, at] = [new Date(startMs), new Date(atMs)];
  const months = (at.getUTCFullYear() - start.getUTCFullYear()) * 12 + at.getUTCMonth() - start.getUTCMonth();
  return Math.floor(months / (unit === "MONTH" ? value : 12 * value));
}
