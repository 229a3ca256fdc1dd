import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { backoffMs, RETRY_AFTER_MAX_MS, retryAfterMs } from "../../shared/backoff.ts";

const SETTINGS = { baseMs: 500, maxMs: 60_000 };
const ALMOST_ONE = 1 - 2 ** -53;

describe("a backoff", () => {
  test.each([
    [1, 500],
    [2, 1_000],
    [3, 2_000],
    [7, 32_000],
    [8, 60_000],
    [9, 60_000],
    [1_000_000, 60_000],
    [Number.MAX_SAFE_INTEGER, 60_000],
  ])("after %i failures lies anywhere below %i ms", (attempt, bound) => {
    expect(backoffMs(attempt, 0, SETTINGS)).toBe(0);
    expect(backoffMs(attempt, 0.5, SETTINGS)).toBe(bound / 2);
    expect(backoffMs(attempt, ALMOST_ONE, SETTINGS)).toBe(bound - 1);
  });

  test("is a whole number of milliseconds within its bound, whatever the settings", () => {
    const chance = fc.double({ min: 0, max: ALMOST_ONE, noNaN: true });
    fc.assert(
      fc.property(
        fc.nat(),
        chance,
        fc.integer({ min: 1, max: 1e7 }),
        fc.integer({ min: 1, max: 1e9 }),
        (attempt, random, baseMs, maxMs) => {
          const wait = backoffMs(attempt, random, { baseMs, maxMs });
          expect(Number.isSafeInteger(wait)).toBe(true);
          expect(wait).toBeGreaterThanOrEqual(0);
          expect(wait).toBeLessThan(maxMs);
          expect(backoffMs(attempt + 1, random, { baseMs, maxMs })).toBeGreaterThanOrEqual(wait);
        },
      ),
      { seed: 21, numRuns: 2_000 },
    );
  });

  test("takes an attempt before the first as the first", () => {
    expect(backoffMs(0, 0.5, SETTINGS)).toBe(backoffMs(1, 0.5, SETTINGS));
    expect(backoffMs(-5, 0.5, SETTINGS)).toBe(backoffMs(1, 0.5, SETTINGS));
  });
});

describe("a Retry-After", () => {
  const NOW = Date.UTC(1994, 10, 6, 8, 49, 30);
  const zone = process.env["TZ"];
  afterEach(() => {
    if (zone === undefined) delete process.env["TZ"];
    else process.env["TZ"] = zone;
  });

  test.each([
    ["0", 0],
    ["7", 7_000],
    [" 120 ", 120_000],
    ["1.5", 1_500],
    ["0.0001", 1],
    ["86400", RETRY_AFTER_MAX_MS],
    ["86401", RETRY_AFTER_MAX_MS],
    ["9".repeat(400), RETRY_AFTER_MAX_MS],
  ])("of %s seconds is %i ms, at most a day", (header, waitMs) => {
    expect(retryAfterMs(header, NOW)).toBe(waitMs);
  });

  // The three forms of RFC 9110, section 5.6.7; the last one names no zone and is in UTC all the same.
  test.each(["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"])(
    "as the date %s is the time until then, in any time zone",
    (header) => {
      for (const timeZone of ["UTC", "America/New_York", "Asia/Kolkata"]) {
        process.env["TZ"] = timeZone;
        expect(retryAfterMs(header, NOW), timeZone).toBe(7_000);
      }
    },
  );

  test("in the past is now, and far ahead is a day", () => {
    expect(retryAfterMs("Sun, 06 Nov 1994 08:49:29 GMT", NOW)).toBe(0);
    expect(retryAfterMs("Fri, 31 Dec 9999 23:59:59 GMT", NOW)).toBe(RETRY_AFTER_MAX_MS);
  });

  test.each([
    undefined,
    null,
    "",
    "  ",
    "-1",
    "+5",
    "1e3",
    "0x10",
    "Infinity",
    "NaN",
    "5 s",
    "5,",
    "soon",
    "soon 5",
    "in 5",
    "January 1",
    "1994-11-06T08:49:37Z",
    "Sun, 99 Nov 1994 08:49:37 GMT",
    "Sunday",
  ])("that cannot be read is none: %j", (header) => {
    expect(retryAfterMs(header, NOW)).toBeNull();
  });
});
