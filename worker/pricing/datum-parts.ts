/** The values and properties of meter data, each resolved to the one of the meter that it names. */
import type { MeterProperty, MeterValue } from "./catalog.ts";
import type { Properties } from "./conditions.ts";
import { readDecimal } from "./decimal.ts";
import type { DatumValue } from "./lines.ts";
import { findNamed, namingOf } from "./named.ts";
import type { BookMeter, Index } from "./price-book.ts";

type Maybe<T> = T | null | undefined;

export interface DatumError {
  readonly code:
    | "METER_NOT_FOUND"
    | "METER_VALUE_NOT_FOUND"
    | "METER_PROPERTY_NOT_FOUND"
    | "MISSING_FIELD"
    | "INVALID_FIELD"
    | "INVALID_OPERATION";
  readonly field: string;
  readonly message: string;
}

export interface SentProperty {
  readonly id?: Maybe<string>;
  readonly reference?: Maybe<string>;
  readonly value?: Maybe<string>;
}

export interface SentValue {
  readonly id?: Maybe<string>;
  readonly reference?: Maybe<string>;
  readonly number?: Maybe<string>;
  readonly amount?: Maybe<{ readonly quantity: string; readonly currency: string }>;
  /** Read like `number`. */
  readonly count?: Maybe<string>;
}

export function readProperties(meter: BookMeter, sent: readonly SentProperty[], errors: DatumError[]): Properties {
  const properties = new Map<string, string | null>();
  sent.forEach((one, i) => {
    const field = `meter_properties.${i}`;
    const property = findPart(meter.properties, one, field, "METER_PROPERTY_NOT_FOUND", errors);
    if (property === null) return;
    if (properties.has(property.reference)) errors.push(twice(field));
    const value = one.value ?? null;
    properties.set(property.reference, value);
    const problem = value === null ? null : problemOf(property, value);
    if (problem !== null) errors.push({ code: "INVALID_FIELD", field: `${field}.value`, message: problem });
  });
  for (const { reference, required } of meter.meter.meter_properties) {
    if (!required || (properties.get(reference) ?? null) !== null) continue;
    errors.push({ code: "MISSING_FIELD", field: "meter_properties", message: `the meter requires ${reference}` });
  }
  return properties;
}

function problemOf({ type, enum_values: allowed }: MeterProperty, value: string): string | null {
  if (type === "NUMBER" && readDecimal(value) === null) return "must be a decimal";
  return type === "ENUM" && !(allowed ?? []).includes(value) ? "is none of the property's values" : null;
}

export function readValues(meter: BookMeter, sent: readonly SentValue[], errors: DatumError[]): DatumValue[] {
  const named = new Set<string>();
  const values = sent.flatMap((one, i) => {
    const field = `meter_values.${i}`;
    const meterValue = findPart(meter.values, one, field, "METER_VALUE_NOT_FOUND", errors);
    if (meterValue === null) return [];
    if (named.has(meterValue.reference)) errors.push(twice(field));
    named.add(meterValue.reference);
    return readValue(meterValue, one, field, errors);
  });
  for (const { reference, required } of meter.meter.meter_values) {
    if (!required || named.has(reference)) continue;
    errors.push({ code: "MISSING_FIELD", field: "meter_values", message: `the meter requires ${reference}` });
  }
  return values;
}

function readValue(meterValue: MeterValue, sent: SentValue, field: string, errors: DatumError[]): DatumValue[] {
  const kind =
    meterValue.type === "AMOUNT" ? "amount" : (sent.number ?? null) === null && sent.count ? "count" : "number";
  const text = (kind === "amount" ? sent.amount?.quantity : sent[kind]) ?? null;
  const value = text === null ? null : readDecimal(text);
  if (value !== null) {
    return [{ meterValue, value, currency: kind === "amount" ? (sent.amount?.currency ?? null) : null, sent }];
  }
  if (text === null)
    errors.push({ code: "MISSING_FIELD", field: `${field}.${kind}`, message: `the value takes a ${kind}` });
  else errors.push({ code: "INVALID_FIELD", field: `${field}.${kind}`, message: "must be a decimal" });
  return [];
}

const UNKNOWN_PART = "is not known to the meter";

function findPart<T>(
  index: Index<T>,
  part: { readonly id?: Maybe<string>; readonly reference?: Maybe<string> },
  field: string,
  code: "METER_VALUE_NOT_FOUND" | "METER_PROPERTY_NOT_FOUND",
  errors: DatumError[],
): T | null {
  const found = findNamed(index, namingOf(part.id, part.reference));
  switch (found.kind) {
    case "found":
      return found.thing;
    case "unnamed":
      errors.push({ code: "MISSING_FIELD", field: `${field}.reference`, message: "name it by its id or reference" });
      return null;
    case "unknown":
      errors.push({ code, field: `${field}.${found.by}`, message: UNKNOWN_PART });
      return null;
    case "disagree":
      if (found.unknown !== null) errors.push({ code, field: `${field}.${found.unknown}`, message: UNKNOWN_PART });
      else errors.push({ code: "INVALID_FIELD", field: `${field}.reference`, message: "names another than the id" });
      return null;
  }
}

function twice(field: string): DatumError {
  return { code: "INVALID_FIELD", field: `${field}.reference`, message: "stands twice" };
}
