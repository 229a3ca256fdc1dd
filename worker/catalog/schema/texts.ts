/** The texts a catalog is made of. */
import { z } from "zod";
import { isDateTime } from "../../../shared/events/date-time.ts";
import { isDecimal, readDecimal, ZERO } from "../../pricing/decimal.ts";

/** An id or a reference. Control characters would let one name read like another in a log. */
export const nameText = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[^\p{Cc}]*$/u, "may hold no control characters");

export const decimalText = z
  .string()
  .refine(isDecimal, 'must be a decimal in a string, such as "0.05", of at most 400 characters');

export const volumeText = decimalText.refine((text) => !isNegative(text), "may not be negative");

export const sizeText = decimalText.refine((text) => !isNegative(text) && !isZero(text), "must be above 0");

export const currencyText = z.string().regex(/^[A-Z]{3}$/, 'must be three capital letters, such as "EUR"');

export const dateTimeText = z.string().refine(isDateTime, "must be a date-time with offset (RFC 3339)");

/** A text that is no decimal has its own error; it gets no second one. */
function isNegative(text: string): boolean {
  return readDecimal(text)?.lt(ZERO) ?? false;
}

function isZero(text: string): boolean {
  return readDecimal(text)?.eq(ZERO) ?? false;
}
