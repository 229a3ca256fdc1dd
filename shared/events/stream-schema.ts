/**
 * Event schemas of usage streams: what a meter says its events look like, and the check made from it.
 * zod describes the schema document; the check itself is compiled once for each stream because it runs for
 * every event.
 */
import { z } from "zod";
import { JsonNumber, type JsonObject, type JsonValue } from "../json/value.ts";
import { isDateTime } from "./date-time.ts";
import { ERRORS_LISTED_MAX, type ValidationError, validationError } from "./validation-error.ts";

export const FIELD_TYPES = ["string", "number", "integer", "boolean", "date-time"] as const;
export type FieldType = (typeof FIELD_TYPES)[number];

export const fieldSchema = z.strictObject({
  name: z.string().min(1).max(256),
  type: z.enum(FIELD_TYPES),
  required: z.boolean(),
});
export type Field = z.infer<typeof fieldSchema>;

/** The four fields of Zuora's default usage event. */
export const DEFAULT_FIELDS: readonly Field[] = [
  { name: "CustomerId", type: "string", required: true },
  { name: "UsageIdentifier", type: "string", required: true },
  { name: "UsageDate", type: "date-time", required: true },
  { name: "Quantity", type: "number", required: true },
];

/** Where a usage stream's events become meter data of a priced meter. */
export const feedsSchema = z.strictObject({
  meter_reference: z.string().min(1),
  meter_value_reference: z.string().min(1),
  customer_field: z.string().min(1).optional(),
  quantity_field: z.string().min(1).optional(),
  properties: z.record(z.string(), z.string()).optional(),
});

/** Ten years. */
const DEDUP_DAYS_MAX = 3653;

export const streamSchema = z.strictObject({
  // Control characters would let one stream's name and an id read like another's where both are hashed.
  meter_global_id: z
    .string()
    .min(1)
    .max(256)
    .regex(/^[^\p{Cc}]*$/u, "may hold no control characters"),
  name: z.string().max(256).optional(),
  strict: z.boolean().optional(),
  event_id_field: z.string().min(1).max(256).optional(),
  event_time_field: z.string().min(1).max(256).optional(),
  /** Where an event names its customer. */
  customer_field: z.string().min(1).max(256).optional(),
  deduplicate_by_content: z
    .boolean()
    .optional()
    .describe("Default true. False: an event without own id, key or position is always a new one."),
  dedup_days: z
    .int()
    .min(1)
    .max(DEDUP_DAYS_MAX)
    .optional()
    .describe("For how many days a repeat must be known at least; default: DEDUP_DAYS of the deployment."),
  fields: z.array(fieldSchema).max(200).optional(),
  feeds: feedsSchema.optional(),
});
export type StreamSchema = z.infer<typeof streamSchema>;

/** Errors of one event, without their index; an empty list for a valid event. */
export type EventCheck = (event: JsonObject) => ValidationError[];

/**
 * Compiles a stream's schema into a check. Null counts as absent for an optional field. A strict stream
 * refuses fields its schema does not name.
 */
export function compileCheck(stream: StreamSchema): EventCheck {
  const fields = stream.fields ?? DEFAULT_FIELDS;
  const names = new Set(fields.map((field) => field.name));
  const idField = stream.event_id_field;
  return (event) => {
    const errors: ValidationError[] = [];
    for (const field of fields) {
      const error = checkField(field, event.get(field.name));
      if (error !== null) errors.push(error);
    }
    if (idField !== undefined && !names.has(idField)) {
      const error = checkOwnId(idField, event.get(idField));
      if (error !== null) errors.push(error);
    }
    if (stream.strict === true) {
      for (const name of event.keys()) {
        if (names.has(name) || name === idField) continue;
        if (errors.length >= ERRORS_LISTED_MAX) break;
        errors.push(
          validationError(`${shown(name)} is not a field of this meter's event schema`, { field: shown(name) }),
        );
      }
    }
    return errors;
  };
}

function checkField(field: Field, value: JsonValue | undefined): ValidationError | null {
  const { name, type } = field;
  if (value === undefined || value === null) {
    if (!field.required) return null;
    const problem = value === undefined ? "is required and absent" : "is required and may not be null";
    return validationError(`${name} ${problem}`, { field: name });
  }
  if (hasType(type, value)) return null;
  return validationError(`${name} must be ${TYPE_WORDS[type]}, got ${describe(value)}`, { field: name });
}

function checkOwnId(name: string, value: JsonValue | undefined): ValidationError | null {
  if (value === undefined || value === null || typeof value === "string" || value instanceof JsonNumber) return null;
  return validationError(`${name} is the event id and must be a string or a number`, { field: name });
}

const TYPE_WORDS: Record<FieldType, string> = {
  string: "a string",
  number: "a number",
  integer: "an integer",
  boolean: "true or false",
  "date-time": "a date-time with offset (RFC 3339)",
};

function hasType(type: FieldType, value: JsonValue): boolean {
  switch (type) {
    case "string":
      return typeof value === "string";
    case "number":
      return value instanceof JsonNumber;
    case "integer":
      return value instanceof JsonNumber && /^-?\d+$/.test(value.text);
    case "boolean":
      return typeof value === "boolean";
    case "date-time":
      return typeof value === "string" && isDateTime(value);
  }
}

/** A name that a sender chose, cut to what an answer can bear. */
function shown(name: string): string {
  return name.length <= 100 ? name : `${name.slice(0, 100)}…`;
}

function describe(value: JsonValue): string {
  if (value instanceof JsonNumber) return "a number";
  if (value instanceof Map) return "an object";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "boolean") return "a boolean";
  return typeof value === "string" ? "a string" : "null";
}
