/** Usage events: those of a meter with the default fields, and those of a meter with fields of its own. */
import { DEFAULT_FIELDS, type FieldType } from "../../shared/events/stream-schema.ts";
import { DEFAULT_LIMITS } from "../../shared/wire.ts";
import { schema } from "./component.ts";
import { type JsonSchema, list, type Members, object, TEXT, TIME } from "./json-schema.ts";

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

function defaultFields(required: boolean): Members {
  const fields = DEFAULT_FIELDS.filter((field) => field.required === required);
  return Object.fromEntries(
    fields.map(({ name, type }) => [
      name,
      { ...FIELD_SCHEMA[type], ...(MEANING[name] === undefined ? {} : { description: MEANING[name] }) },
    ]),
  );
}

const DEFAULT_EVENT = schema(
  "DefaultUsageEvent",
  object(defaultFields(true), defaultFields(false), {
    additionalProperties: true,
    description: "An event of a meter without fields of its own in the catalog. Unknown fields are kept.",
  }),
);

const METER_EVENT = schema("MeterEvent", {
  type: "object",
  additionalProperties: true,
  description:
    "An event of a meter with fields of its own: its names and values are those of the meter in the catalog " +
    "(GET /schemas lists them). Unknown fields are kept, unless the meter is strict.",
});

export const USAGE_EVENT = schema("UsageEvent", {
  anyOf: [DEFAULT_EVENT, METER_EVENT],
  description: "A usage event. Which fields it has is said by its meter.",
});

export const USAGE_BODY = schema("UsageBody", {
  oneOf: [USAGE_EVENT, list(USAGE_EVENT, { minItems: 1, maxItems: DEFAULT_LIMITS.eventsMax })],
});
