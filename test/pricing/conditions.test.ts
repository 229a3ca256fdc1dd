import { describe, expect, test } from "vitest";
import type { Operator, PropertyType } from "../../worker/pricing/catalog.ts";
import { meetsAll } from "../../worker/pricing/conditions.ts";

const TYPES = new Map<string, PropertyType>([
  ["region", "ENUM"],
  ["size", "NUMBER"],
]);

function meets(operator: Operator, value: string | string[], given: string | null | undefined, property = "region") {
  const properties = new Map(given === undefined ? [] : [[property, given]]);
  return meetsAll([{ property, operator, value }], properties, TYPES);
}

describe("a condition", () => {
  test.each<[Operator, string | string[], string | null | undefined, boolean]>([
    ["EQUALS", "eu", "eu", true],
    ["EQUALS", "eu", "us", false],
    ["EQUALS", "eu", "EU", false],
    ["NOT_EQUALS", "eu", "eu", false],
    ["NOT_EQUALS", "eu", "us", true],
    ["IN", ["eu", "us"], "us", true],
    ["IN", ["eu", "us"], "asia", false],
    ["IN", "eu", "eu", true],
    ["NOT_IN", ["eu", "us"], "us", false],
    ["NOT_IN", ["eu", "us"], "asia", true],
    // Absent and null alike fail the first two and meet the NOT_ forms.
    ["EQUALS", "eu", undefined, false],
    ["EQUALS", "eu", null, false],
    ["IN", ["eu"], undefined, false],
    ["IN", ["eu"], null, false],
    ["NOT_EQUALS", "eu", undefined, true],
    ["NOT_EQUALS", "eu", null, true],
    ["NOT_IN", ["eu"], undefined, true],
    ["NOT_IN", ["eu"], null, true],
  ])("%s %j of %j: %s", (operator, value, given, expected) => {
    expect(meets(operator, value, given)).toBe(expected);
  });

  test.each<[Operator, string | string[], string, boolean]>([
    ["EQUALS", "1", "1.0", true],
    ["EQUALS", "-0", "0.00", true],
    ["NOT_EQUALS", "1", "01.0", false],
    ["IN", ["10", "20"], "20.000", true],
    ["EQUALS", "12345678901234567890", "12345678901234567891", false],
  ])("on a NUMBER compares numbers: %s %j of %j: %s", (operator, value, given, expected) => {
    expect(meets(operator, value, given, "size")).toBe(expected);
  });

  test("on any other property compares texts", () => {
    expect(meets("EQUALS", "1", "1.0", "unlisted")).toBe(false);
  });
});

test("all conditions must hold; none is met by everything", () => {
  const conditions = [
    { property: "region", operator: "EQUALS", value: "eu" },
    { property: "size", operator: "NOT_EQUALS", value: "3" },
  ] as const;
  expect(meetsAll(conditions, new Map([["region", "eu"]]), TYPES)).toBe(true);
  expect(meetsAll(conditions, new Map(Object.entries({ region: "eu", size: "3.0" })), TYPES)).toBe(false);
  expect(meetsAll([], new Map(), TYPES)).toBe(true);
});
