/** Lists in pages: `?limit=` and `?cursor=`, answered as `{items, next}`. */
import { type ValidationError, validationError } from "../../shared/events/validation-error.ts";
import type { WeirContext } from "../context.ts";

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1000;

export type PageOutcome =
  | { readonly kind: "page"; readonly limit: number; readonly after: number }
  | { readonly kind: "fault"; readonly fault: ValidationError };

export function pageOf(c: WeirContext): PageOutcome {
  const limit = pageLimitOf(c);
  const after = wholeNumber(c.req.query("cursor") ?? "0");
  if (limit === null) {
    return {
      kind: "fault",
      fault: validationError(`limit is a whole number from 1 to ${LIMIT_MAX}`, { field: "limit" }),
    };
  }
  if (after === null)
    return { kind: "fault", fault: validationError("cursor is one that a list gave", { field: "cursor" }) };
  return { kind: "page", limit, after };
}

/** How many items a page may hold; null for a limit that is none. */
export function pageLimitOf(c: WeirContext): number | null {
  const limit = wholeNumber(c.req.query("limit") ?? String(LIMIT_DEFAULT));
  return limit === null || limit < 1 || limit > LIMIT_MAX ? null : limit;
}

/** Null for a text that is not a whole number a double holds exactly. */
export function wholeNumber(text: string): number | null {
  const number = Number(text);
  return /^\d{1,16}$/.test(text) && number <= Number.MAX_SAFE_INTEGER ? number : null;
}
