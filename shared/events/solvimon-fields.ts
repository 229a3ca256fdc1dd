/**
 * The fields of Solvimon's four ingest operations, in the order of the vendor's own pages, and the check made
 * from them. Nullable and optional are told apart exactly as there: "Optional" without "or null" refuses null.
 */

import { canonicalText } from "../json/canonical.ts";
import { type Fields, type FieldValue, isFields, isList } from "../json/span.ts";
import { JsonNumber } from "../json/value.ts";
import { isDateTime } from "./date-time.ts";
import type { SolvimonKind } from "./kind.ts";
import { ERRORS_LISTED_MAX } from "./validation-error.ts";

export type FieldCode = "MISSING_FIELD" | "INVALID_FIELD";

/** One thing wrong with an event; `field` is dotted, list members by index. */
export interface FieldError {
  readonly code: FieldCode;
  readonly message: string;
  readonly field: string;
}

export type Shape =
  | {
      readonly type: "string";
      readonly pattern?: RegExp;
      /** Lengths in code points. */
      readonly min?: number;
      readonly max?: number;
    }
  | { readonly type: "decimal" | "boolean" | "date-time" | "any-object" | "any" }
  | { readonly type: "enum"; readonly values: readonly string[] }
  | { readonly type: "object"; readonly members: readonly FieldSpec[] }
  | { readonly type: "list"; readonly items: Shape; readonly max: number };

export type FieldSpec = Shape & {
  readonly name: string;
  readonly required?: true;
  readonly nullable?: true;
  readonly description?: string;
};

/** A decimal number as text: the form of every quantity. */
export const DECIMAL = /^-?\d+(\.\d+)?$/;
export const CURRENCY = /^[A-Z]{3}$/;
/** The vendor's pattern for references, held against the whole text. */
export const REFERENCE = /^[a-zA-Z0-9_-]*$/;
/** Of an id or a reference by which an event names a thing, as of its own. */
export const NAME_MAX = 256;
/** Of a decimal, as of a JSON number. */
export const DECIMAL_MAX = 400;
/** Items of each list in an event. */
export const LIST_MAX = 100;
export const PROPERTY_VALUE_MAX = 1_000;
/** Of all properties together, names and values; and of a selector's text. UTF-16 units. */
export const PROPERTIES_MAX = 16_000;
export const SELECTOR_MAX = 8_000;

const CHARGE_DESCRIPTION = /^[a-zA-Z0-9_\-\s+]*$/;
const ONE_LINE = /^.*$/;

const AMOUNT: readonly FieldSpec[] = [
  { name: "quantity", type: "decimal", required: true },
  { name: "currency", type: "string", pattern: CURRENCY, required: true },
];
const METER_VALUE: readonly FieldSpec[] = [
  { name: "id", type: "string", max: NAME_MAX },
  { name: "reference", type: "string", max: NAME_MAX },
  { name: "number", type: "decimal" },
  { name: "amount", type: "object", members: AMOUNT },
  { name: "count", type: "decimal" },
];
const PERIOD: readonly FieldSpec[] = [
  { name: "start_at", type: "date-time", required: true },
  { name: "end_at", type: "date-time", required: true },
  { name: "ratio", type: "decimal", nullable: true },
];
const SELECTOR: readonly FieldSpec[] = [
  {
    name: "data",
    type: "list",
    max: LIST_MAX,
    items: {
      type: "object",
      members: [
        { name: "field", type: "string", max: NAME_MAX, required: true },
        { name: "value", type: "any", nullable: true },
      ],
    },
  },
  {
    name: "rules",
    type: "list",
    max: LIST_MAX,
    items: {
      type: "object",
      members: [
        { name: "field", type: "string", max: NAME_MAX, required: true },
        { name: "type", type: "string" },
      ],
    },
  },
  {
    name: "filters",
    type: "list",
    max: LIST_MAX,
    items: {
      type: "object",
      members: [
        { name: "field", type: "string", max: NAME_MAX, required: true },
        { name: "type", type: "string" },
        { name: "value", type: "any", nullable: true },
      ],
    },
  },
  { name: "fallback", type: "enum", values: ["LATEST", "NONE"] },
];
const METER_PROPERTY: readonly FieldSpec[] = [
  { name: "id", type: "string", max: NAME_MAX },
  { name: "reference", type: "string", max: NAME_MAX },
  { name: "value", type: "string", max: PROPERTY_VALUE_MAX, nullable: true },
];

const id = (name: string): FieldSpec => ({ name, type: "string", min: 1, max: NAME_MAX, required: true });
const text = (name: string): FieldSpec => ({ name, type: "string", max: NAME_MAX, nullable: true });
const SUBSCRIPTION_SELECTOR: FieldSpec = {
  name: "pricing_plan_subscription_selector",
  type: "object",
  members: SELECTOR,
};
const OWN_REFERENCE: FieldSpec = { name: "reference", type: "string", pattern: REFERENCE, max: 256, nullable: true };
const TIMESTAMP: FieldSpec = { name: "timestamp", type: "date-time", nullable: true };
const CUSTOMER_AND_SUBSCRIPTION: readonly FieldSpec[] = [
  text("customer_id"),
  text("customer_reference"),
  text("pricing_plan_subscription_id"),
  text("pricing_plan_subscription_reference"),
  SUBSCRIPTION_SELECTOR,
];

export const FIELDS: Record<SolvimonKind, readonly FieldSpec[]> = {
  persist: [
    { ...id("customer_id"), nullable: true },
    id("pricing_id"),
    id("pricing_item_id"),
    id("pricing_item_config_id"),
    { ...id("pricing_plan_subscription_id"), nullable: true },
    text("customer_reference"),
    text("pricing_plan_subscription_reference"),
    SUBSCRIPTION_SELECTOR,
    OWN_REFERENCE,
    { name: "period", type: "object", members: PERIOD },
    { name: "persist_usage", type: "decimal", nullable: true },
    { name: "persist_included_volume", type: "decimal", nullable: true },
    { name: "persist_charged_volume", type: "boolean", nullable: true },
    { name: "persist_rollover_volume", type: "boolean", nullable: true },
    { name: "set_rollover_volume", type: "boolean", nullable: true },
    { name: "included_volume", type: "object", members: METER_VALUE },
    TIMESTAMP,
    { name: "reprocess_id", type: "string", max: NAME_MAX },
    { name: "is_last_reprocess_item", type: "boolean" },
  ],
  charge: [
    id("product_item_id"),
    id("pricing_id"),
    id("pricing_item_id"),
    id("pricing_item_config_id"),
    ...CUSTOMER_AND_SUBSCRIPTION,
    OWN_REFERENCE,
    { name: "description", type: "string", pattern: CHARGE_DESCRIPTION, max: 256, nullable: true },
    { name: "value", type: "object", members: METER_VALUE },
    { name: "period", type: "object", members: PERIOD },
    TIMESTAMP,
  ],
  adjustment: [
    id("product_item_id"),
    ...CUSTOMER_AND_SUBSCRIPTION,
    OWN_REFERENCE,
    { name: "description", type: "string", pattern: ONE_LINE, max: 256, nullable: true },
    TIMESTAMP,
    { name: "amount", type: "object", members: AMOUNT },
    { name: "fixed_amount", type: "object", members: AMOUNT },
  ],
  "meter-data": [
    { name: "reference", type: "string", pattern: ONE_LINE, min: 10, max: 256, nullable: true },
    text("customer_id"),
    text("customer_reference"),
    { name: "customer", type: "any-object", nullable: true },
    text("meter_id"),
    text("meter_reference"),
    text("pricing_plan_subscription_id"),
    text("pricing_plan_subscription_reference"),
    SUBSCRIPTION_SELECTOR,
    TIMESTAMP,
    {
      name: "meter_properties",
      type: "list",
      max: LIST_MAX,
      items: { type: "object", members: METER_PROPERTY },
      nullable: true,
    },
    {
      name: "meter_values",
      type: "list",
      max: LIST_MAX,
      items: { type: "object", members: METER_VALUE },
      nullable: true,
    },
    { name: "cost_prediction", type: "any-object", nullable: true },
    { name: "processed_details", type: "any-object", nullable: true },
  ],
};

/** Fields that only answers have: ignored on input, and no part of an event's content. */
export const READ_ONLY: Record<SolvimonKind, ReadonlySet<string>> = {
  persist: new Set(["object_type", "id"]),
  charge: new Set(["object_type", "id"]),
  adjustment: new Set(["object_type", "id"]),
  "meter-data": new Set(["object_type", "id", "type", "created_at", "deleted"]),
};

/** Every error of an event, in the order of the vendor's fields. */
export function checkSolvimonEvent(kind: SolvimonKind, event: Fields): FieldError[] {
  const errors: FieldError[] = [];
  for (const spec of FIELDS[kind]) {
    checkMember(spec, event, "", errors);
    errors.push(...acrossFields(kind, spec.name, event, errors));
  }
  return errors;
}

function checkMember(spec: FieldSpec, object: Fields, prefix: string, errors: FieldError[]): void {
  const field = prefix + spec.name;
  const value = object.get(spec.name);
  if (value === undefined) {
    if (spec.required) errors.push({ code: "MISSING_FIELD", message: `${field} is required`, field });
  } else if (value === null) {
    if (!spec.nullable) errors.push(invalid(field, "may not be null"));
  } else checkShape(spec, value, field, errors);
}

function checkShape(shape: Shape, value: FieldValue, field: string, errors: FieldError[]): void {
  switch (shape.type) {
    case "object":
      if (!isFields(value)) errors.push(invalid(field, "must be an object"));
      else for (const member of shape.members) checkMember(member, value, `${field}.`, errors);
      return;
    case "list":
      if (!isList(value)) errors.push(invalid(field, "must be a list"));
      else if (value.length > shape.max) errors.push(invalid(field, `may have at most ${shape.max} items`));
      else checkItems(shape.items, value, field, errors);
      return;
    default: {
      const wrong = scalarError(shape, value);
      if (wrong !== null) errors.push(invalid(field, wrong));
    }
  }
}

/** Looks no further once there are more errors than any answer lists. */
function checkItems(shape: Shape, items: Iterable<FieldValue>, field: string, errors: FieldError[]): void {
  let index = 0;
  for (const item of items) {
    if (errors.length >= ERRORS_LISTED_MAX) return;
    checkShape(shape, item, `${field}.${index++}`, errors);
  }
}

function scalarError(shape: Exclude<Shape, { type: "object" | "list" }>, value: FieldValue): string | null {
  switch (shape.type) {
    case "string":
      return typeof value === "string" ? textError(shape, value) : "must be a string";
    case "enum":
      return typeof value === "string" && shape.values.includes(value)
        ? null
        : `must be one of ${shape.values.join(", ")}`;
    case "decimal":
      if (typeof value !== "string") return "must be a decimal number as a string";
      if (value.length > DECIMAL_MAX) return `must have at most ${DECIMAL_MAX} characters`;
      return DECIMAL.test(value) ? null : "must be a decimal number as a string";
    case "boolean":
      return typeof value === "boolean" ? null : "must be true or false";
    case "date-time":
      return typeof value === "string" && isDateTime(value) ? null : "must be a date-time with offset (ISO 8601)";
    case "any-object":
      return isFields(value) ? null : "must be an object";
    case "any":
      return null;
  }
}

function textError(shape: Extract<Shape, { type: "string" }>, value: string): string | null {
  const { min = 0, max = Number.POSITIVE_INFINITY, pattern } = shape;
  // A code point has one or two UTF-16 units, so that only what is near a bound is counted.
  const isNear = value.length < 2 * min || (value.length > max && value.length <= 2 * max);
  const length = isNear ? [...value].length : value.length;
  if (length < min) return min === 1 ? "may not be empty" : `must have at least ${min} characters`;
  if (length > max) return `must have at most ${max} characters`;
  return pattern === undefined || pattern.test(value) ? null : `must match ${pattern.source}`;
}

function invalid(field: string, message: string): FieldError {
  return { code: "INVALID_FIELD", message: `${field} ${message}`, field };
}

/** Rules that hold between fields; looked at once the field itself is right. */
function acrossFields(kind: SolvimonKind, name: string, event: Fields, before: readonly FieldError[]): FieldError[] {
  const value = event.get(name);
  const isSound = (part: string) => !before.some((error) => error.field === part || error.field.startsWith(`${part}.`));
  if (name === "period" && isFields(value) && isSound(name)) return periodErrors(value);
  if (kind === "charge" && name === "value" && isFields(value) && isSound(name)) return chargeValueErrors(value);
  if (name === "customer" && isFields(value)) return nestedNameErrors(value);
  if (name === "meter_properties" && isList(value) && isSound(name)) return propertiesErrors(value);
  if (name === SUBSCRIPTION_SELECTOR.name && isFields(value) && isSound(name)) return selectorErrors(value);
  if (kind === "adjustment" && name === "fixed_amount") {
    return adjustmentErrors(event, isSound("amount") && isSound("fixed_amount"));
  }
  return [];
}

/** Of a nested customer only its names are read. */
function nestedNameErrors(customer: Fields): FieldError[] {
  return ["id", "reference"].flatMap((name) => {
    const value = customer.get(name);
    const wrong = typeof value === "string" ? textError({ type: "string", max: NAME_MAX }, value) : null;
    return wrong === null ? [] : [invalid(`customer.${name}`, wrong)];
  });
}

function propertiesErrors(properties: Iterable<FieldValue>): FieldError[] {
  let total = 0;
  for (const one of properties) {
    if (!isFields(one)) continue;
    for (const { name } of METER_PROPERTY) total += lengthOf(one.get(name));
  }
  if (total <= PROPERTIES_MAX) return [];
  return [invalid("meter_properties", `may have at most ${PROPERTIES_MAX} characters in all`)];
}

function lengthOf(value: FieldValue | undefined): number {
  return typeof value === "string" ? value.length : 0;
}

function selectorErrors(selector: Fields): FieldError[] {
  if (canonicalText(selector).length <= SELECTOR_MAX) return [];
  return [invalid(SUBSCRIPTION_SELECTOR.name, `may have at most ${SELECTOR_MAX} characters`)];
}

function periodErrors(period: Fields): FieldError[] {
  const at = (name: string) => Date.parse(String(period.get(name)).replace(/:60(?=[.Zz+-])/, ":59"));
  if (!(at("end_at") < at("start_at"))) return [];
  return [invalid("period.end_at", "may not be before start_at")];
}

function chargeValueErrors(value: Fields): FieldError[] {
  const given = ["number", "amount", "count"].filter((name) => value.has(name));
  return given.length === 1 ? [] : [invalid("value", "takes exactly one of number, amount, count")];
}

function adjustmentErrors(event: Fields, isSound: boolean): FieldError[] {
  const amount = event.get("amount");
  const fixed = event.get("fixed_amount");
  if (amount === undefined && fixed === undefined) {
    return [{ code: "MISSING_FIELD", message: "amount or fixed_amount is required", field: "amount" }];
  }
  if (!isSound || !isFields(amount) || !isFields(fixed)) return [];
  const [one, other] = [amount.get("currency"), fixed.get("currency")];
  const differ = typeof one === "string" && typeof other === "string" && one !== other;
  return differ ? [invalid("fixed_amount.currency", "must be the currency of amount")] : [];
}

/** The reprocessing group of a persist event and whether it closes it; null for an event without one. */
export function reprocessGroup(event: Fields): { readonly id: string; readonly closes: boolean } | null {
  const group = event.get("reprocess_id");
  if (typeof group !== "string" || group === "") return null;
  return { id: group, closes: event.get("is_last_reprocess_item") === true };
}

/** An event's own id: its `reference`; an empty or null one is none. */
export function referenceOf(event: Fields): string | null {
  const reference = event.get("reference");
  if (reference instanceof JsonNumber) return reference.text;
  return typeof reference === "string" && reference !== "" ? reference : null;
}
