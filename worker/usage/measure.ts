/**
 * What an accepted event says of usage, as it says it: names are kept, not resolved, so that a new catalog prices
 * the same facts anew. Texts made here are compared in SQL; they are JSON as JSON.stringify writes it.
 */
import { NAME_MAX, PROPERTIES_MAX, PROPERTY_VALUE_MAX } from "../../shared/events/solvimon-fields.ts";
import { type ValidationError, validationError } from "../../shared/events/validation-error.ts";
import type { Fields, FieldValue } from "../../shared/json/span.ts";
import { JsonNumber, type JsonObject, type JsonValue } from "../../shared/json/value.ts";
import { DECIMAL_LENGTH_MAX } from "../pricing/decimal.ts";
import { instantOf } from "../pricing/instant.ts";

/** By what an event names a thing; an empty name is none. */
export type Name = readonly [id: string | null, reference: string | null];

/** Null: no subscription is named. An object is a selector. */
export type SubscriptionNaming = Name | Readonly<Record<string, unknown>> | null;

export type GivenProperty = readonly [id: string | null, reference: string | null, value: string];

/** Currency null for a number or a count; the quantity by its source text. */
export type GivenQuantity = readonly [
  id: string | null,
  reference: string | null,
  currency: string | null,
  quantity: string,
];

/** Where only a subscription is named, whose customer is then the event's, its name follows the unnamed customer. */
export type Subject =
  | readonly [meter: Name, customer: Name]
  | readonly [meter: Name, customer: Name, subscription: Name];

export interface Measure {
  readonly subject: Subject;
  /** Milliseconds since 1970; null for the time of first receipt. */
  readonly atMs: number | null;
  readonly context: readonly [SubscriptionNaming, readonly GivenProperty[]];
  /** At least one. */
  readonly quantities: readonly GivenQuantity[];
}

/** What SQL compares a subject by. */
export function subjectText(subject: Subject): string {
  return JSON.stringify(subject);
}

/** @returns null for meter data that no catalog can ever price: without a meter, a quantity, a customer or subscription. */
export function measureOfMeterData(event: JsonObject): Measure | null {
  const customer = event.get("customer");
  const nested = customer instanceof Map ? customer : new Map<string, JsonValue>();
  const meterName = nameOf(event.get("meter_id"), event.get("meter_reference"));
  const customerName = nameOf(
    event.get("customer_id") ?? nested.get("id"),
    event.get("customer_reference") ?? nested.get("reference"),
  );
  const subject = subjectOf(meterName, customerName, subscriptionName(event));
  const quantities = objectsOf(event.get("meter_values")).flatMap(quantitiesOf);
  if (subject === null || quantities.length === 0) return null;
  return {
    subject,
    atMs: instantOf(textOf(event.get("timestamp")) ?? ""),
    context: [namingOf(event), propertiesOf(event)],
    quantities,
  };
}

function subjectOf(meter: Name, customer: Name, subscription: Name): Subject | null {
  if (isUnnamed(meter)) return null;
  if (!isUnnamed(customer)) return [meter, customer];
  return isUnnamed(subscription) ? null : [meter, customer, subscription];
}

function subscriptionName(event: JsonObject): Name {
  return nameOf(event.get("pricing_plan_subscription_id"), event.get("pricing_plan_subscription_reference"));
}

function namingOf(event: JsonObject): SubscriptionNaming {
  const name = subscriptionName(event);
  if (!isUnnamed(name)) return name;
  const selector = event.get("pricing_plan_subscription_selector");
  return selector instanceof Map ? (plainValue(selector) as Record<string, unknown>) : null;
}

/** In an order of their own; one without a value is as good as absent. */
function propertiesOf(event: JsonObject): GivenProperty[] {
  const given = objectsOf(event.get("meter_properties")).flatMap((property): GivenProperty[] => {
    const value = textOf(property.get("value"));
    return value === null ? [] : [[...nameOf(property.get("id"), property.get("reference")), value]];
  });
  return given.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

/** A value may hold a number and an amount; the meter's type says which of them counts. */
function quantitiesOf(value: JsonObject): GivenQuantity[] {
  const name = nameOf(value.get("id"), value.get("reference"));
  if (isUnnamed(name)) return [];
  const number = textOf(value.get("number")) ?? textOf(value.get("count"));
  const amount = value.get("amount");
  const [quantity, currency] =
    amount instanceof Map ? [textOf(amount.get("quantity")), textOf(amount.get("currency"))] : [null, null];
  return [
    ...(number === null ? [] : [[...name, null, number] as const]),
    ...(quantity === null || currency === null ? [] : [[...name, currency, quantity] as const]),
  ];
}

/** How a usage stream's events become meter data; the catalog's `feeds` and `event_time_field`. */
export interface FeedRule {
  readonly event_time_field?: string | undefined;
  readonly feeds?:
    | {
        readonly meter_reference: string;
        readonly meter_value_reference: string;
        readonly customer_field?: string | undefined;
        readonly quantity_field?: string | undefined;
        readonly properties?: Readonly<Record<string, string>> | undefined;
      }
    | undefined;
}

/** Zuora's default usage event: its time, customer and quantity. */
const DEFAULT_FIELD = { time: "UsageDate", customer: "CustomerId", quantity: "Quantity" } as const;

/** @returns null where the stream feeds no meter, or the event lacks a customer or a quantity. */
export function measureOfUsage(event: Fields, { feeds, event_time_field: timeField }: FeedRule): Measure | null {
  if (feeds === undefined) return null;
  const customer = textOf(event.get(feeds.customer_field ?? DEFAULT_FIELD.customer));
  const quantity = textOf(event.get(feeds.quantity_field ?? DEFAULT_FIELD.quantity));
  if (customer === null || customer === "" || quantity === null || quantity.length > DECIMAL_LENGTH_MAX) return null;
  const properties = Object.entries(feeds.properties ?? {}).flatMap(([property, field]): GivenProperty[] => {
    const value = textOf(event.get(field));
    return value === null ? [] : [[null, property, value]];
  });
  return {
    subject: [
      [null, feeds.meter_reference],
      [null, customer],
    ],
    atMs: instantOf(textOf(event.get(timeField ?? DEFAULT_FIELD.time)) ?? ""),
    context: [null, properties.sort(([, a], [, b]) => ((a ?? "") < (b ?? "") ? -1 : 1))],
    quantities: [[null, feeds.meter_value_reference, null, quantity]],
  };
}

/** What an event of a stream that feeds a meter may not name there: the bounds of meter data. */
export function feedErrors(event: Fields, { feeds }: FeedRule): ValidationError[] {
  if (feeds === undefined) return [];
  const customer = feeds.customer_field ?? DEFAULT_FIELD.customer;
  const errors = tooLong(customer, textOf(event.get(customer)), NAME_MAX);
  let total = 0;
  for (const field of Object.values(feeds.properties ?? {})) {
    const text = textOf(event.get(field));
    total += text?.length ?? 0;
    errors.push(...tooLong(field, text, PROPERTY_VALUE_MAX));
  }
  if (errors.length > 0 || total <= PROPERTIES_MAX) return errors;
  return [validationError(`the properties may have at most ${PROPERTIES_MAX} characters in all`)];
}

function tooLong(field: string, text: string | null, max: number): ValidationError[] {
  if (text === null || text.length <= max) return [];
  return [
    validationError(`${field.slice(0, 100)} names a customer or a property, with at most ${max} characters`, { field }),
  ];
}

function nameOf(id: JsonValue | undefined, reference: JsonValue | undefined): Name {
  return [nonEmpty(id), nonEmpty(reference)];
}

function nonEmpty(value: JsonValue | undefined): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

function isUnnamed([id, reference]: Name): boolean {
  return id === null && reference === null;
}

/** A number by its source text; null for what is neither text, number nor truth value. */
function textOf(value: FieldValue | undefined): string | null {
  if (typeof value === "string") return value;
  if (value instanceof JsonNumber) return value.text;
  return typeof value === "boolean" ? String(value) : null;
}

export function objectsOf(value: JsonValue | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter((one) => one instanceof Map) : [];
}

/** Of a selector: its comparisons are with texts, so a number may lose digits there. */
export function plainValue(value: JsonValue): unknown {
  if (value instanceof JsonNumber) return Number(value.text);
  if (Array.isArray(value)) return value.map(plainValue);
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, member]) => [key, plainValue(member)]));
  return value;
}
