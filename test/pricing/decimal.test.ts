import { describe, expect, test } from "vitest";
import {
  ceilDivide,
  decimalOf,
  decimalText,
  divide,
  readDecimal,
  readJsonNumber,
} from "../../worker/pricing/decimal.ts";

function shown(value: ReturnType<typeof readDecimal>): string | null {
  return value === null ? null : decimalText(value);
}

describe("a decimal", () => {
  test.each([
    ["0", "0"],
    ["-0.00", "0"],
    ["007.10", "7.1"],
    ["-0.000000000000000000001", "-0.000000000000000000001"],
    ["1".repeat(400), "1".repeat(400)],
  ])("%s is %s", (text, written) => {
    expect(shown(readDecimal(text))).toBe(written);
  });

  test.each(["", "-", ".5", "5.", "+1", "1e3", " 1", "1\n", "0x10", "NaN", "Infinity", "1,5", "1".repeat(401)])(
    "%j is none",
    (text) => {
      expect(readDecimal(text)).toBeNull();
    },
  );
});

describe("a JSON number", () => {
  test.each([
    ["12345678901234567890", "12345678901234567890"],
    ["1.50e2", "150"],
    ["-25E-3", "-0.025"],
    ["1e400", `1${"0".repeat(400)}`],
  ])("%s is %s", (text, written) => {
    expect(shown(readJsonNumber(text))).toBe(written);
  });

  test.each(["1e401", "1e-401", "1e-99999999999999999999", "abc"])("%s is too far from 1, or none", (text) => {
    expect(readJsonNumber(text)).toBeNull();
  });
});

test.each([
  ["1", "3", "0.333333333333"],
  ["-1", "3", "-0.333333333333"],
  ["0.0000000000025", "1", "0.0000000000025"], // by 1 nothing is divided, so nothing is rounded
  ["0.000000000005", "2", "0.000000000002"], // 2.5 × 10^-12 to the even 2
  ["-0.000000000007", "2", "-0.000000000004"], // -3.5 × 10^-12 to the even 4
])("%s ÷ %s is %s", (value, by, quotient) => {
  expect(decimalText(divide(decimalOf(value), decimalOf(by)))).toBe(quotient);
});

test.each([
  ["0", "3", "0"],
  ["3", "3", "1"],
  ["3.000000000000000000001", "3", "2"],
  ["1", "0.3", "4"],
  ["1000000000000000000000000000001", "10", "100000000000000000000000000001"],
])("%s takes, in parts of %s, %s of them", (value, size, parts) => {
  expect(decimalText(ceilDivide(decimalOf(value), decimalOf(size)))).toBe(parts);
});
