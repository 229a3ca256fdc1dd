/** Solvimon's calculate operation: what an event would cost, before it is sent. */
import { eventId } from "../../shared/identity.ts";
import { describeParameter, type Parameter, value } from "../http/parameters.ts";
import { answer } from "../openapi/answers.ts";
import type { DescribedRoute } from "../openapi/document.ts";
import { ACCEPT_ENCODING, CONTENT_ENCODING, IDEMPOTENCY_KEY, PLATFORM_ID } from "../openapi/headers.ts";
import type { JsonSchema } from "../openapi/json-schema.ts";
import { operation, RATE_HEADERS } from "../openapi/operation.ts";
import { EXAMPLE } from "../openapi/solvimon-examples.ts";
import { EVENT_SCHEMA, RESOURCE_SCHEMA } from "../openapi/solvimon-schemas.ts";
import { VERSION, versioned } from "./version.ts";

const COST_PREDICTION: Parameter<string | undefined> = {
  schema: { type: "boolean", default: false },
  description: "Whether to say the cost.",
  example: false,
  read: (text) => value(text),
};

export const calculateOperations: readonly DescribedRoute[] = [
  { method: "post", path: versioned("/events/calculate"), operation: calculation() },
];

function calculation(): JsonSchema {
  const event = EXAMPLE["meter-data"];
  const resource = {
    object_type: "METER_DATA",
    id: eventId("meter-data", "meter-data", { by: "id", id: event.reference }),
    ...event,
    type: "CALCULATION",
    created_at: event.timestamp,
    cost_prediction: null,
    processed_details: { type: "NOT_MATCHED" },
    deleted: false,
  };
  return operation(
    {
      id: "calculateCost",
      tag: "Solvimon",
      summary: "Tell what an event would cost",
      description:
        "The price of the usage so far with this event, less the price without it, line by line. Nothing is stored. " +
        "Without a catalog the call is passed to Solvimon.",
      dialect: "Solvimon",
      answers: { 201: answer("The event as it would be, and its cost.", RESOURCE_SCHEMA["meter-data"], resource) },
    },
    {
      permissions: ["METER_DATA.INGEST"],
      parameters: [
        describeParameter("path", "version", VERSION),
        CONTENT_ENCODING,
        ACCEPT_ENCODING,
        PLATFORM_ID,
        IDEMPOTENCY_KEY,
        describeParameter("query", "cost_prediction", COST_PREDICTION),
      ],
      body: { required: true, content: { "application/json": { schema: EVENT_SCHEMA["meter-data"], example: event } } },
      refusals: [400, 401, 403, 413, 415, 429, 503],
      answerHeaders: RATE_HEADERS,
    },
  );
}
