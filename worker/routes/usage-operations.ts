/** The usage doors, in their two spellings. */

import { usageStream } from "../../shared/events/kind.ts";
import { validationError } from "../../shared/events/validation-error.ts";
import { eventId } from "../../shared/identity.ts";
import { usageAnswer } from "../../shared/intake/usage-answer.ts";
import { USAGE_PATHS } from "../../shared/wire.ts";
import { describeParameter, segment } from "../http/parameters.ts";
import { ANSWER_HEADER, answer } from "../openapi/answers.ts";
import type { DescribedRoute } from "../openapi/document.ts";
import {
  ACCEPT_ENCODING,
  CONTENT_ENCODING,
  ENTITY_IDS,
  IDEMPOTENCY_KEY,
  ORG_IDS,
  PLATFORM_ID,
  PREFER,
  PRODUCER,
  SEQUENCE,
  TRACK_ID,
} from "../openapi/headers.ts";
import { INGEST_ANSWER } from "../openapi/ingest-answer.ts";
import { type JsonSchema, TEXT } from "../openapi/json-schema.ts";
import { operation, RATE_HEADERS } from "../openapi/operation.ts";
import { USAGE_BODY } from "../openapi/usage-schemas.ts";

const EVENT = {
  CustomerId: "cus_1",
  UsageIdentifier: "egress_bytes",
  UsageDate: "2026-11-01T10:05:03Z",
  Quantity: 1.5,
};
const OTHER = { ...EVENT, Quantity: 2.25 };

const METER = segment("The global id of a meter in the catalog.", "web-egress");

export const usageOperations: readonly DescribedRoute[] = USAGE_PATHS.map((path, i) => ({
  method: "post",
  path,
  operation: ingestUsage(["ingestUsage", "ingestUsageInBulk"][i] ?? path),
}));

function ingestUsage(id: string): JsonSchema {
  return operation(
    {
      id,
      tag: "Usage",
      summary: "Take usage events for a meter",
      description:
        "One event, an array, or lines. All or nothing, unless Prefer says handling=lenient: any invalid or conflicting " +
        "event is then a 400 and nothing is stored. An accepted event is stored before the answer leaves.",
      answers: { 200: answered() },
    },
    {
      permissions: ["METER_DATA.INGEST"],
      parameters: [
        describeParameter("path", "meterGlobalId", METER),
        CONTENT_ENCODING,
        ACCEPT_ENCODING,
        TRACK_ID,
        ENTITY_IDS,
        ORG_IDS,
        PLATFORM_ID,
        IDEMPOTENCY_KEY,
        PRODUCER,
        SEQUENCE,
        PREFER,
      ],
      body: {
        required: true,
        content: {
          "application/json": {
            schema: USAGE_BODY,
            examples: { one: { value: EVENT }, several: { value: [EVENT, OTHER] } },
          },
          "application/x-ndjson": {
            schema: { ...TEXT, description: "One event a line." },
            example: `${JSON.stringify(EVENT)}\n${JSON.stringify(OTHER)}\n`,
          },
        },
      },
      refusals: [400, 401, 403, 404, 413, 415, 429, 503],
      answerHeaders: RATE_HEADERS,
    },
  );
}

function answered(): JsonSchema {
  const id = eventId("usage", usageStream("web-egress"), { by: "position", producer: "plant-7", position: 1 });
  const reasons = [validationError("Quantity is required and absent", { index: 1, field: "Quantity" })];
  const results = usageAnswer(
    [
      { index: 0, status: "accepted", id },
      { index: 1, status: "quarantined", id, reasons },
    ],
    true,
  );
  return answer("Each event's fate, counted.", INGEST_ANSWER, results, ANSWER_HEADER.preferenceApplied);
}
