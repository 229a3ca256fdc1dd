/** Usage events, the answers of every ingest door, and Weir's own refusal. */
import { DEFAULT_FIELDS, type FieldType } from "../../shared/events/stream-schema.ts";
import { CONFLICT_CODE, ERRORS_LISTED_MAX, VALIDATION_CODE } from "../../shared/events/validation-error.ts";
import { DEFAULT_LIMITS } from "../../shared/wire.ts";
import {
  COUNT,
  choice,
  described,
  INDEX,
  type JsonSchema,
  list,
  type Members,
  object,
  schemaRef,
  TEXT,
  TIME,
} from "./json-schema.ts";

const FIELD_SCHEMA: Record<FieldType, JsonSchema> = {
  string: TEXT,
  number: { type: "number" },
  integer: { type: "integer" },
  boolean: { type: "boolean" },
  "date-time": TIME,
};

const MEANING: Readonly<Record<string, string>> = {
  CustomerId: "Whose usage it is.",
  UsageIdentifier: "What was used.",
  UsageDate: "When it was used.",
  Quantity: "How much; kept and passed on digit for digit.",
};

export function usageSchemas(): Members {
  return {
    UsageEvent: usageEvent(),
    UsageBody: {
      oneOf: [
        schemaRef("UsageEvent"),
        list(schemaRef("UsageEvent"), { minItems: 1, maxItems: DEFAULT_LIMITS.eventsMax }),
      ],
    },
    IngestAnswer: ingestAnswer(),
    EventResult: object(
      {
        index: INDEX,
        status: choice(["accepted", "duplicate", "conflict", "quarantined"]),
        id: described(TEXT, "The event's id."),
      },
      { reasons: list(schemaRef("ValidationError")) },
    ),
    ValidationError: object(
      {
        code: {
          type: "integer",
          description: `${VALIDATION_CODE} for a validation fault, ${CONFLICT_CODE} for a conflict.`,
        },
        message: TEXT,
      },
      { index: INDEX, field: described(TEXT, "Which field or header, dotted.") },
    ),
    Refusal: object({
      success: { type: "boolean", const: false },
      message: TEXT,
      reasons: list(schemaRef("ValidationError"), { maxItems: ERRORS_LISTED_MAX }),
    }),
  };
}

/** The default fields; a meter of the catalog may bring fields of its own in their place. */
function usageEvent(): JsonSchema {
  const schemaOf = (wanted: boolean): Members =>
    Object.fromEntries(
      DEFAULT_FIELDS.filter((field) => field.required === wanted).map((field) => [
        field.name,
        {
          ...FIELD_SCHEMA[field.type],
          ...(MEANING[field.name] === undefined ? {} : { description: MEANING[field.name] }),
        },
      ]),
    );
  return object(schemaOf(true), schemaOf(false), {
    description:
      "A usage event of a meter without an event schema of its own. A meter's fields in the catalog take the place " +
      "of these four; unknown fields are kept, unless the meter is strict.",
  });
}

function ingestAnswer(): JsonSchema {
  return object(
    {
      success: { type: "boolean", const: true },
      message: TEXT,
      accepted: described(COUNT, "Events that are stored now and will be delivered."),
      duplicates: described(COUNT, "Events that were taken before, with the same content."),
      conflicts: described(COUNT, "Events whose identity was taken before with other content."),
      quarantined: described(COUNT, "Events that are held with their faults."),
    },
    {
      results: described(list(schemaRef("EventResult")), "One an event, in order, with Prefer: return=representation."),
    },
    { description: "The four counts add up to the events sent." },
  );
}
