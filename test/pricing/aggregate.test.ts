import { expect, test } from "vitest";
import { noUsage, quantityOf, withValue } from "../../worker/pricing/aggregate.ts";
import type { Calculation } from "../../worker/pricing/catalog.ts";
import { decimalOf, decimalText } from "../../worker/pricing/decimal.ts";

function quantityAfter(calculation: Calculation, values: readonly string[]): string | null {
  const usage = values.reduce((soFar, value) => withValue(soFar, decimalOf(value)), noUsage(calculation));
  const quantity = quantityOf(usage);
  return quantity === null ? null : `${decimalText(quantity.units)}/${decimalText(quantity.per)}`;
}

test.each<[Calculation, string[], string | null]>([
  ["SUM", [], "0/1"],
  ["SUM", ["0.1", "0.2", "-0.05"], "0.25/1"],
  ["SUM", ["12345678901234567890.123456789", "0.000000000000000001"], "12345678901234567890.123456789000000001/1"],
  ["MAX", [], null],
  ["MAX", ["-3"], "-3/1"],
  ["MAX", ["-3", "-5", "-1", "-2"], "-1/1"],
  ["MIN", [], null],
  ["MIN", ["3", "7", "5"], "3/1"],
  ["AVERAGE", [], null],
  ["AVERAGE", ["1", "1", "2"], "4/3"],
  ["UNIQUE", [], null],
  ["UNIQUE", ["1", "1.0", "01", "2", "-0", "0.00"], "3/1"],
])("%s of %j is %s", (calculation, values, expected) => {
  expect(quantityAfter(calculation, values)).toBe(expected);
});

test("UNIQUE needs to know no more of the usage so far than whether the event's own value was there", () => {
  const soFar = { calculation: "UNIQUE", distinct: 41, known: new Set(["7"]) } as const;
  expect(withValue(soFar, decimalOf("7.0"))).toMatchObject({ distinct: 41 });
  expect(withValue(soFar, decimalOf("8"))).toMatchObject({ distinct: 42 });
});
