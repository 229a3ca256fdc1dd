/** Moments as milliseconds since 1970 UTC, read from and written as RFC 3339. */
import { isDateTime } from "../../shared/events/date-time.ts";

const PARTS = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;
const MINUTE_MS = 60_000;

/**
 * Milliseconds of an RFC 3339 date-time, finer fractions cut; null for what is none. A leap second counts as
 * the first of the next minute: `Date` knows none.
 */
export function instantOf(text: string): number | null {
  const match = isDateTime(text) ? PARTS.exec(text) : null;
  if (match === null) return null;
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  const fractionMs = Number((match[7] ?? "").slice(0, 3).padEnd(3, "0"));
  const offsetMinutes = (match[8] === "-" ? -1 : 1) * (Number(match[9] ?? 0) * 60 + Number(match[10] ?? 0));
  return utc(year, month - 1, day) + ((hour * 60 + minute - offsetMinutes) * 60 + second) * 1_000 + fractionMs;
}

/** Midnight UTC of a day; unlike `Date.UTC` it takes the years 0 to 99 for what they are. */
export function utc(year: number, monthFrom0: number, day: number): number {
  return new Date(0).setUTCFullYear(year, monthFrom0, day);
}

/** In UTC, with milliseconds only where there are some. */
export function instantText(ms: number): string {
  const text = new Date(ms).toISOString();
  return ms % 1_000 === 0 ? text.replace(".000Z", "Z") : text;
}

export function daysMs(days: number): number {
  return days * 24 * 60 * MINUTE_MS;
}
