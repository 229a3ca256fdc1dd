import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { instantOf, instantText } from "../../worker/pricing/instant.ts";
import { type PeriodUnit, periodAt } from "../../worker/pricing/periods.ts";

function ms(text: string): number {
  const instant = instantOf(text);
  if (instant === null) throw new Error(`${text} is no date-time`);
  return instant;
}

function period(start: string, value: number, unit: PeriodUnit, at: string): string {
  const { startMs, endMs } = periodAt(ms(start), { unit, value }, ms(at));
  return `${instantText(startMs)} ${instantText(endMs)}`;
}

describe("a billing period", () => {
  test.each<[string, number, PeriodUnit, string, string, string]>([
    // Begins with its start and ends before its end.
    ["2026-01-15T08:00:00Z", 1, "MONTH", "2026-01-15T08:00:00Z", "2026-01-15T08:00:00Z", "2026-02-15T08:00:00Z"],
    ["2026-01-15T08:00:00Z", 1, "MONTH", "2026-02-15T07:59:59.999Z", "2026-01-15T08:00:00Z", "2026-02-15T08:00:00Z"],
    ["2026-01-15T08:00:00Z", 1, "MONTH", "2026-02-15T08:00:00Z", "2026-02-15T08:00:00Z", "2026-03-15T08:00:00Z"],
    // Month ends: cut to the month, but counted from the 31st each time.
    ["2026-01-31T00:00:00Z", 1, "MONTH", "2026-02-10T00:00:00Z", "2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z"],
    ["2026-01-31T00:00:00Z", 1, "MONTH", "2026-02-28T00:00:00Z", "2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"],
    ["2026-01-31T00:00:00Z", 1, "MONTH", "2026-03-30T23:59:59Z", "2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"],
    ["2024-01-31T00:00:00Z", 1, "MONTH", "2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z", "2024-03-31T00:00:00Z"],
    ["2025-10-31T00:00:00Z", 4, "MONTH", "2026-02-28T12:00:00Z", "2026-02-28T00:00:00Z", "2026-06-30T00:00:00Z"],
    // Leap days: 29 February every fourth year, the 28th between; 2100 has none.
    ["2024-02-29T00:00:00Z", 1, "YEAR", "2025-02-28T00:00:00Z", "2025-02-28T00:00:00Z", "2026-02-28T00:00:00Z"],
    ["2024-02-29T00:00:00Z", 1, "YEAR", "2028-02-28T23:00:00Z", "2027-02-28T00:00:00Z", "2028-02-29T00:00:00Z"],
    ["2096-02-29T00:00:00Z", 4, "YEAR", "2100-03-01T00:00:00Z", "2100-02-28T00:00:00Z", "2104-02-29T00:00:00Z"],
    // Days and weeks are 24 hours and seven days in UTC, whatever the clocks do.
    ["2026-03-28T23:30:00Z", 1, "DAY", "2026-03-29T23:30:00Z", "2026-03-29T23:30:00Z", "2026-03-30T23:30:00Z"],
    ["2026-01-01T00:00:00Z", 2, "WEEK", "2026-01-15T00:00:00Z", "2026-01-15T00:00:00Z", "2026-01-29T00:00:00Z"],
    // The start is read in UTC: here it is the 30th.
    ["2026-01-31T01:00:00+02:00", 1, "MONTH", "2026-04-01T00:00:00Z", "2026-03-30T23:00:00Z", "2026-04-30T23:00:00Z"],
  ])("from %s of %i %s holds %4$s", (start, value, unit, at, from, to) => {
    expect(period(start, value, unit, at)).toBe(`${from} ${to}`);
  });

  test("agrees with a plain walk from the first day on", () => {
    const start = fc.date({ min: new Date("1999-01-01"), max: new Date("2030-01-01"), noInvalidDate: true });
    const unit = fc.constantFrom<PeriodUnit>("DAY", "WEEK", "MONTH", "YEAR");
    const days = fc.integer({ min: 0, max: 5_000 });
    const offsetMs = fc.integer({ min: 0, max: 86_399_999 });
    fc.assert(
      fc.property(start, unit, fc.integer({ min: 1, max: 5 }), days, offsetMs, (from, by, value, later, offset) => {
        const atMs = from.getTime() + later * 86_400_000 + offset;
        expect(periodAt(from.getTime(), { unit: by, value }, atMs)).toEqual(walkedPeriod(from, by, value, atMs));
      }),
      { numRuns: 2_000 },
    );
  });
});

/** Day by day from the start: a boundary is where the calendar shows the start's day, or the month's last one. */
function walkedPeriod(start: Date, unit: PeriodUnit, value: number, atMs: number) {
  let startMs = start.getTime();
  let day = 0;
  let months = 0;
  for (;;) {
    day++;
    const today = new Date(start.getTime() + day * 86_400_000);
    const tomorrow = new Date(today.getTime() + 86_400_000);
    const isAnniversary =
      today.getUTCDate() === start.getUTCDate() ||
      (today.getUTCDate() < start.getUTCDate() && tomorrow.getUTCMonth() !== today.getUTCMonth());
    if (isAnniversary) months++;
    const isBoundary = {
      DAY: day % value === 0,
      WEEK: day % (7 * value) === 0,
      MONTH: isAnniversary && months % value === 0,
      YEAR: isAnniversary && months % (12 * value) === 0,
    }[unit];
    if (!isBoundary) continue;
    if (today.getTime() > atMs) return { startMs, endMs: today.getTime() };
    startMs = today.getTime();
  }
}

describe("an instant", () => {
  test.each([
    ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"],
    ["2026-01-01t00:00:00.5z", "2026-01-01T00:00:00.500Z"],
    ["2026-01-01T00:00:00.123999Z", "2026-01-01T00:00:00.123Z"],
    ["2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00Z"],
    ["2026-01-01T00:30:00-01:00", "2026-01-01T01:30:00Z"],
    ["2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"],
    ["0050-03-01T00:00:00Z", "0050-03-01T00:00:00Z"],
  ])("%s is %s", (text, utc) => {
    expect(instantText(ms(text))).toBe(utc);
  });

  test.each(["2026-02-29T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00", "tomorrow", ""])("%j is none", (text) => {
    expect(instantOf(text)).toBeNull();
  });
});
