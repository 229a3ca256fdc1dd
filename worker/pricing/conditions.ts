/** Whether an event's properties meet a config's conditions. */
import type { Condition, PropertyType } from "./catalog.ts";
import { readDecimal } from "./decimal.ts";

/** An event's properties by reference; null where it names one and gives no value. */
export type Properties = ReadonlyMap<string, string | null>;
export type PropertyTypes = ReadonlyMap<string, PropertyType>;

/** All of them hold; none is no hindrance. */
export function meetsAll(conditions: readonly Condition[], properties: Properties, types: PropertyTypes): boolean {
  return conditions.every((condition) =>
    meets(condition, properties.get(condition.property) ?? null, types.get(condition.property) ?? "STRING"),
  );
}

/** An absent or null property fails EQUALS and IN and meets the NOT_ forms. */
function meets({ operator, value }: Condition, given: string | null, type: PropertyType): boolean {
  const wanted = typeof value === "string" ? [value] : value;
  const isAmong = given !== null && wanted.some((one) => isSame(type, one, given));
  return operator === "EQUALS" || operator === "IN" ? isAmong : !isAmong;
}

/** NUMBER properties compare as numbers: 1.0 is 1. */
function isSame(type: PropertyType, a: string, b: string): boolean {
  if (type !== "NUMBER") return a === b;
  const [left, right] = [readDecimal(a), readDecimal(b)];
  return left !== null && right !== null ? left.eq(right) : a === b;
}
