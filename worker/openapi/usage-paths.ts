/** The usage doors, in their two spellings. */

import { usageStream } from "../../shared/events/kind.ts";
import { validationError } from "../../shared/events/validation-error.ts";
import { eventId } from "../../shared/identity.ts";
import { usageAnswer } from "../../shared/intake/usage-answer.ts";
import { USAGE_PATHS } from "../../shared/wire.ts";
import { answer, RATE_HEADERS } from "./answers.ts";
import { type JsonSchema, schemaRef, TEXT } from "./json-schema.ts";
import { operation, type Paths } from "./operation.ts";

const EVENT = {
  CustomerId: "cus_1",
  UsageIdentifier: "egress_bytes",
  UsageDate: "2026-11-01T10:05:03Z",
  Quantity: 1.5,
};
const OTHER = { ...EVENT, Quantity: 2.25 };

export function usagePaths(): Paths {
  const ids = ["ingestUsage", "ingestUsageInBulk"];
  return Object.fromEntries(
    USAGE_PATHS.map((path, i) => [
      path.replace(":meterGlobalId", "{meterGlobalId}"),
      { post: ingestUsage(ids[i] ?? path) },
    ]),
  );
}

function ingestUsage(id: string): JsonSchema {
  return operation({
    id,
    tag: "Usage",
    summary: "Take usage events for a meter",
    description:
      "One event, an array, or lines. All or nothing, unless Prefer says handling=lenient: any invalid or conflicting " +
      "event is then a 400 and nothing is stored. An accepted event is stored before the answer leaves.",
    permissions: ["METER_DATA.INGEST"],
    parameters: [
      "MeterGlobalId",
      "ContentEncoding",
      "AcceptEncoding",
      "TrackId",
      "EntityIds",
      "OrgIds",
      "PlatformId",
      "IdempotencyKey",
      "Producer",
      "Sequence",
      "Prefer",
    ],
    body: {
      required: true,
      content: {
        "application/json": {
          schema: schemaRef("UsageBody"),
          examples: { one: { value: EVENT }, several: { value: [EVENT, OTHER] } },
        },
        "application/x-ndjson": {
          schema: { ...TEXT, description: "One event a line." },
          example: `${JSON.stringify(EVENT)}\n${JSON.stringify(OTHER)}\n`,
        },
      },
    },
    answers: { 200: answered() },
    refusals: [400, 401, 403, 404, 413, 415, 429, 503],
  });
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
  return answer("Each event's fate, counted.", schemaRef("IngestAnswer"), results, [
    "Preference-Applied",
    ...RATE_HEADERS,
  ]);
}
