import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { daysInMonth, isDateTime, isUsualDateTime } from "../../shared/events/date-time.ts";

describe("a date-time", () => {
  test.each([
    "2026-01-31T23:59:59Z",
    "2024-02-29T00:00:00Z",
    "2000-02-29T00:00:00Z",
    "0000-02-29T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "2026-01-01t00:00:00z",
    "2026-01-01T00:00:00+00:00",
    "2026-01-01T00:00:00-00:00",
    "2026-01-01T00:00:00+23:59",
    "2026-01-01T00:00:00-23:59",
    "2026-01-01T00:00:00.1Z",
    `2026-01-01T00:00:00.${"1234567890".repeat(3)}+05:30`,
    "1985-04-12T23:20:50.52Z",
    "1996-12-19T16:39:57-08:00",
    "1990-12-31T23:59:60Z",
    "1990-12-31T15:59:60-08:00",
    "2017-01-01T05:29:60.5+05:30",
    "1937-01-01T12:00:27.87+00:20",
  ])("of RFC 3339 is taken: %s", (text) => {
    expect(isDateTime(text)).toBe(true);
  });

  test.each<[what: string, text: string]>([
    ["the 30th of February", "2026-02-30T00:00:00Z"],
    ["the 29th of February in a common year", "2026-02-29T00:00:00Z"],
    ["the 29th of February in a century", "1900-02-29T00:00:00Z"],
    ["the 31st of April", "2026-04-31T00:00:00Z"],
    ["day 0", "2026-01-00T00:00:00Z"],
    ["day 32", "2026-01-32T00:00:00Z"],
    ["month 0", "2026-00-01T00:00:00Z"],
    ["month 13", "2026-13-01T00:00:00Z"],
    ["hour 24", "2026-01-01T24:00:00Z"],
    ["minute 60", "2026-01-01T00:60:00Z"],
    ["second 61", "2026-12-31T23:59:61Z"],
    ["a leap second at noon", "2026-06-30T12:00:60Z"],
    ["a leap second at another minute's end", "2026-06-30T23:58:60Z"],
    ["a leap second at 23:59 of another zone", "1990-12-31T23:59:60-08:00"],
    ["no offset", "2026-01-01T00:00:00"],
    ["no time", "2026-01-01"],
    ["no seconds", "2026-01-01T00:00Z"],
    ["an offset without a colon", "2026-01-01T00:00:00+0100"],
    ["an offset of hours alone", "2026-01-01T00:00:00+01"],
    ["an offset of 24 hours", "2026-01-01T00:00:00+24:00"],
    ["an offset of 60 minutes", "2026-01-01T00:00:00+01:60"],
    ["an offset twice", "2026-01-01T00:00:00Z+01:00"],
    ["a space for the T", "2026-01-01 00:00:00Z"],
    ["a point without digits", "2026-01-01T00:00:00.Z"],
    ["a comma for the point", "2026-01-01T00:00:00,5Z"],
    ["a year of two digits", "26-01-01T00:00:00Z"],
    ["a year of five digits", "12026-01-01T00:00:00Z"],
    ["a signed year", "+2026-01-01T00:00:00Z"],
    ["a month of one digit", "2026-1-01T00:00:00Z"],
    ["white space before", " 2026-01-01T00:00:00Z"],
    ["a newline after", "2026-01-01T00:00:00Z\n"],
    ["digits that are not ASCII", "٢٠٢٦-01-01T00:00:00Z"],
    ["the minus sign U+2212", "2026-01-01T00:00:00−01:00"],
    ["nothing", ""],
    ["a word", "now"],
    ["seconds since 1970", "1767225600"],
  ])("is none with %s", (_, text) => {
    expect(isDateTime(text)).toBe(false);
  });

  test("is whatever a Date writes, with any offset beside it", () => {
    const instants = fc.date({
      min: new Date("0001-01-01T00:00:00Z"),
      max: new Date("9999-12-31T23:59:59Z"),
      noInvalidDate: true,
    });
    const offsets = fc.tuple(
      fc.constantFrom("+", "-"),
      fc.integer({ min: 0, max: 23 }),
      fc.integer({ min: 0, max: 59 }),
    );
    fc.assert(
      fc.property(instants, offsets, (at, [sign, hours, minutes]) => {
        const text = at.toISOString();
        const offset = `${sign}${String(hours).padStart(2, "0")}:${String(minutes).padStart(2, "0")}`;
        expect(isDateTime(text)).toBe(true);
        expect(isDateTime(text.replace("Z", offset))).toBe(true);
        expect(isDateTime(text.replace("Z", ""))).toBe(false);
      }),
      { seed: 31, numRuns: 2_000 },
    );
  });
});

test("what is taken for a usual date-time by its bytes is one, and any usual one is taken", () => {
  const two = fc.integer({ min: 0, max: 99 }).map((number) => String(number).padStart(2, "0"));
  const likely = fc.tuple(two, two, two, two, two).map(([mo, d, h, mi, s]) => `2024-${mo}-${d}T${h}:${mi}:${s}Z`);
  const broken = fc.tuple(fc.nat(20), fc.constantFrom("x", "0", "9", ":", "-", "/", "")).map(([at, other]) => {
    const text = "2024-02-28T23:59:59Z";
    return text.slice(0, at) + other + text.slice(at + 1);
  });
  fc.assert(
    fc.property(fc.oneof(likely, broken), (text) => {
      const bytes = new TextEncoder().encode(`,"${text}",`);
      const isUsual = isUsualDateTime(bytes, 1, bytes.length - 1);
      if (isUsual) expect(isDateTime(text)).toBe(true);
      const isEarly = /^....-..-([01].|2[0-8])T..:..:[0-5].Z$/.test(text) && isDateTime(text);
      expect(isUsual).toBe(isEarly);
    }),
    { seed: 32, numRuns: 5_000 },
  );
});

test("months have the days that a calendar gives them, leap years included", () => {
  for (let year = 1890; year <= 2110; year++) {
    for (let month = 1; month <= 12; month++) {
      expect(daysInMonth(year, month), `${year}-${month}`).toBe(new Date(Date.UTC(year, month, 0)).getUTCDate());
    }
  }
});
