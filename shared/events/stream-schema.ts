/**
 * Event schemas of usage streams: what a meter says its events look like, and the check made from it.
 * zod describes the schema document; the check itself is compiled once for each stream because it runs for
 * every event.
 */
import { z } from "zod";
import { type Fields, kindOf, SpanObject, type ValueKind } from "../json/span.ts";
import { JsonNumber } from "../json/value.ts";
import { isDateTime, isUsualDateTime } from "./date-time.ts";
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

/** As many as meter data may have. */
const FED_PROPERTIES_MAX = 100;

/** Where a usage stream's events become meter data of a priced meter. */
export const feedsSchema = z.strictObject({
  meter_reference: z.string().min(1),
  meter_value_reference: z.string().min(1),
  customer_field: z.string().min(1).optional(),
  quantity_field: z.string().min(1).optional(),
  properties: z
    .record(z.string().max(256), z.string().max(256))
    .refine((properties) => Object.keys(properties).length <= FED_PROPERTIES_MAX, "may have at most 100 properties")
    .optional(),
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

/** Errors of one event, without their index; an empty list for a valid event, and one list for events in a row that are alike. */
export type EventCheck = (event: Fields) => readonly ValidationError[];

/**
 * Compiles a stream's schema into a check. Null counts as absent for an optional field. A strict stream
 * refuses fields its schema does not name.
 */
export function compileCheck(stream: StreamSchema): EventCheck {
  const fields = (stream.fields ?? DEFAULT_FIELDS).map(fieldCheck);
  const names = new Set((stream.fields ?? DEFAULT_FIELDS).map((field) => field.name));
  const idField = stream.event_id_field;
  const errors = new ErrorList();
  return (event) => {
    errors.begin();
    for (const check of fields) errors.add(check(event));
    if (idField !== undefined && !names.has(idField)) errors.add(checkOwnId(idField, kindOf(event, idField)));
    if (stream.strict === true) {
      for (const name of event.keys()) {
        if (names.has(name) || name === idField) continue;
        if (errors.count >= ERRORS_LISTED_MAX) break;
        errors.add(
          validationError(`${shown(name)} is not a field of this meter's event schema`, { field: shown(name) }),
        );
      }
    }
    return errors.end();
  };
}

const NO_ERRORS: readonly ValidationError[] = [];

/** Collects one event's errors after another's. A list for each event of a large body would be more than the body. */
class ErrorList {
  count = 0;
  private readonly errors: ValidationError[] = [];
  private last = NO_ERRORS;

  begin(): void {
    this.count = 0;
  }

  add(error: ValidationError | null): void {
    if (error !== null) this.errors[this.count++] = error;
  }

  /** What was added; the list given before where that is the same. */
  end(): readonly ValidationError[] {
    if (this.count === 0) return NO_ERRORS;
    const { errors, last } = this;
    let same = this.count === last.length;
    for (let i = 0; same && i < this.count; i++) same = errors[i] === last[i];
    if (!same) this.last = errors.slice(0, this.count);
    return this.last;
  }
}

/** The check of a field. What it finds is made once: a body may hold the same error 200,000 times. */
function fieldCheck({ name, type, required }: Field): (event: Fields) => ValidationError | null {
  const made = new Map<ValueKind | "absent", ValidationError>();
  const errorOf = (found: ValueKind | "absent"): ValidationError => {
    const error = made.get(found) ?? validationError(`${name} ${problemOf(type, found)}`, { field: name });
    made.set(found, error);
    return error;
  };
  return (event) => {
    const kind = kindOf(event, name);
    if (kind === undefined || kind === "null") return required ? errorOf(kind ?? "absent") : null;
    return kind === KIND_OF[type] && isWellWritten(type, event, name) ? null : errorOf(kind);
  };
}

function problemOf(type: FieldType, found: ValueKind | "absent"): string {
  if (found === "absent") return "is required and absent";
  if (found === "null") return "is required and may not be null";
  return `must be ${TYPE_WORDS[type]}, got ${KIND_WORDS[found]}`;
}

function checkOwnId(name: string, kind: ValueKind | undefined): ValidationError | null {
  if (kind === undefined || kind === "null" || kind === "string" || kind === "number") return null;
  return validationError(`${name} is the event id and must be a string or a number`, { field: name });
}

const TYPE_WORDS: Record<FieldType, string> = {
  string: "a string",
  number: "a number",
  integer: "an integer",
  boolean: "true or false",
  "date-time": "a date-time with offset (RFC 3339)",
};

const KIND_OF: Record<FieldType, ValueKind> = {
  string: "string",
  number: "number",
  integer: "number",
  boolean: "boolean",
  "date-time": "string",
};

/** Of types that ask for more than their kind; only there the value is made. */
function isWellWritten(type: FieldType, event: Fields, name: string): boolean {
  if (type !== "integer" && type !== "date-time") return true;
  if (type === "date-time" && event instanceof SpanObject && event.passes(name, isUsualDateTime)) return true;
  const value = event.get(name);
  if (value instanceof JsonNumber) return /^-?\d+$/.test(value.text);
  return typeof value === "string" && isDateTime(value);
}

/** A name that a sender chose, cut to what an answer can bear. */
function shown(name: string): string {
  return name.length <= 100 ? name : `${name.slice(0, 100)}…`;
}

const KIND_WORDS: Record<ValueKind, string> = {
  string: "a string",
  number: "a number",
  boolean: "a boolean",
  null: "null",
  object: "an object",
  list: "an array",
};
