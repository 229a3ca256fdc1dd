/** Lists in pages: `?limit=` and `?cursor=`, answered as `{items, next}`. */
import { described, type JsonSchema, list, nullable, object, TEXT } from "../openapi/json-schema.ts";
import { type Parameter, refused, value, whole, wholeNumber } from "./parameters.ts";

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1000;

/** How many items a page may hold. @param absent how many it holds where nothing is said. */
export function limitOf(absent: number): Parameter<number> {
  return whole(
    { min: 1, max: LIMIT_MAX, absent },
    "How many items a page holds.",
    absent,
    `limit is a whole number from 1 to ${LIMIT_MAX}`,
  );
}

export const LIMIT: Parameter<number> = limitOf(LIMIT_DEFAULT);

/**
 * Where a list goes on.
 * @param first where it begins without a cursor.
 * @param parse null for a text that no list gave.
 */
export function cursor<T>(first: T, parse: (text: string) => T | null): Parameter<T> {
  return {
    schema: TEXT,
    description: "Where to go on: the `next` of the page before.",
    read(text) {
      const at = text === undefined ? first : parse(text);
      return at === null ? refused("cursor is one that a list gave") : value(at);
    },
  };
}

/** The cursor of a list in the order of a row's number. */
export const ROW_CURSOR: Parameter<number> = cursor(0, wholeNumber);

/** A page as it is answered. */
export function pageOf(items: JsonSchema): JsonSchema {
  return object({ items: list(items), next: described(nullable(TEXT), "The next page's cursor; null at the end.") });
}
