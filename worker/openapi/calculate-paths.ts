/** Solvimon's calculate operation: what an event would cost, before it is sent. */
import { eventId } from "../../shared/identity.ts";
import { answer, RATE_HEADERS } from "./answers.ts";
import { type JsonSchema, schemaRef } from "./json-schema.ts";
import { jsonBody, operation, type Paths } from "./operation.ts";
import { EXAMPLE } from "./solvimon-examples.ts";
import { SCHEMA_NAME } from "./solvimon-schemas.ts";

export function calculatePaths(): Paths {
  return { "/v{version}/events/calculate": { post: calculation() } };
}

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
  return operation({
    id: "calculateCost",
    tag: "Solvimon",
    summary: "Tell what an event would cost",
    description:
      "The price of the usage so far with this event, less the price without it, line by line. Nothing is stored. " +
      "Without a catalog the call is passed to Solvimon.",
    permissions: ["METER_DATA.INGEST"],
    dialect: "Solvimon",
    parameters: ["Version", "ContentEncoding", "AcceptEncoding", "PlatformId", "IdempotencyKey", "CostPrediction"],
    body: jsonBody(schemaRef(SCHEMA_NAME["meter-data"]), event),
    answers: {
      201: answer(
        "The event as it would be, and its cost.",
        schemaRef(`${SCHEMA_NAME["meter-data"]}Resource`),
        resource,
        RATE_HEADERS,
      ),
    },
    refusals: [400, 401, 403, 413, 415, 429, 503],
  });
}
