/**
 * Exact decimals. Sums, differences and products are exact; a division happens once, at the end of a price,
 * and is rounded to 12 places, half even. No float ever enters: the constructor refuses numbers.
 */
import Big from "big.js";

export type Decimal = Big;

/** Places kept by a division. */
export const DIVISION_PLACES = 12;
/** Digits of one decimal in the catalog or an event; longer ones would make a multiplication an attack. */
export const DECIMAL_LENGTH_MAX = 400;
/** How far from 1 a number with an exponent may be; a double ends near 308. */
const EXPONENT_MAX = 400;

const Exact = Big();
Exact.strict = true;
Exact.DP = DIVISION_PLACES;
Exact.RM = 2; // half even

export const ZERO: Decimal = new Exact("0");
export const ONE: Decimal = new Exact("1");
const PERCENT: Decimal = new Exact("0.01");

const PLAIN = /^-?\d+(\.\d+)?$/;
const JSON_NUMBER = /^-?\d+(\.\d+)?([eE]([+-]?\d+))?$/;

/** Whether a text is a decimal as catalogs and meter data write it. */
export function isDecimal(text: string): boolean {
  return text.length <= DECIMAL_LENGTH_MAX && PLAIN.test(text);
}

/** Reads `-?\d+(\.\d+)?`; null for anything else, and for more than 400 characters. */
export function readDecimal(text: string): Decimal | null {
  return isDecimal(text) ? new Exact(text) : null;
}

/**
 * Reads the source text of a JSON number, exponent and all; null where it is none or so far from 1 (beyond
 * 10^±400) that writing it out would cost more than it can mean.
 */
export function readJsonNumber(text: string): Decimal | null {
  const match = text.length <= DECIMAL_LENGTH_MAX ? JSON_NUMBER.exec(text) : null;
  if (match === null || Math.abs(Number(match[3] ?? 0)) > EXPONENT_MAX) return null;
  return new Exact(text);
}

/** A decimal that was checked when its catalog was put. @throws Error where it is none after all. */
export function decimalOf(text: string): Decimal {
  const value = readDecimal(text);
  if (value === null) throw new Error(`${text.slice(0, 40)} is no decimal`);
  return value;
}

/** A decimal that decimalText wrote: a sum may be longer than what an event may hold. */
export function keptDecimal(text: string): Decimal {
  return new Exact(text);
}

export function countOf(count: number): Decimal {
  return new Exact(String(count));
}

/** Plain notation, no exponent, no trailing zeros: numerically equal decimals have equal texts. */
export function decimalText(value: Decimal): string {
  return value.toFixed();
}

/** Rounded once to 12 places, half even; exact where the divisor is 1. */
export function divide(value: Decimal, by: Decimal): Decimal {
  return by.eq(ONE) ? value : value.div(by);
}

/** The least whole number of parts of a size that hold a value which is not negative. */
export function ceilDivide(value: Decimal, size: Decimal): Decimal {
  const rest = value.mod(size);
  const whole = value.minus(rest).div(size);
  return rest.eq(ZERO) ? whole : whole.plus(ONE);
}

/** Exact: a hundredth is a decimal. */
export function percentOf(percentage: Decimal): Decimal {
  return percentage.times(PERCENT);
}

export function sumOf(values: readonly Decimal[]): Decimal {
  return values.reduce((sum, value) => sum.plus(value), ZERO);
}

export function lesser(a: Decimal, b: Decimal): Decimal {
  return a.lt(b) ? a : b;
}

export function greater(a: Decimal, b: Decimal): Decimal {
  return a.gt(b) ? a : b;
}
