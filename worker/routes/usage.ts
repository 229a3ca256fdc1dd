/** Zuora's streaming ingestion in its two spellings. */
import { usageStream } from "../../shared/events/kind.ts";
import { type ValidationError, validationError } from "../../shared/events/validation-error.ts";
import { eventId } from "../../shared/identity.ts";
import { usageAnswer } from "../../shared/intake/usage-answer.ts";
import { usageDialect } from "../../shared/intake/usage-dialect.ts";
import { USAGE_PATHS } from "../../shared/wire.ts";
import { refuse } from "../context.ts";
import { segment } from "../http/parameters.ts";
import { type Route, route } from "../http/route.ts";
import type { EdgeDialect } from "../intake/edge-dialect.ts";
import { ANSWER_HEADER, answer } from "../openapi/answers.ts";
import { INGEST_HEADERS, PREFER } from "../openapi/headers.ts";
import { INGEST_ANSWER } from "../openapi/ingest-answer.ts";
import { type Members, TEXT } from "../openapi/json-schema.ts";
import { USAGE_BODY } from "../openapi/usage-schemas.ts";
import { isWithin } from "../tenants/bounds.ts";
import { feedErrors, measureOfUsage } from "../usage/measure.ts";
import { answerIngest } from "./ingest.ts";

const EVENT = {
  CustomerId: "cus_1",
  UsageIdentifier: "egress_bytes",
  UsageDate: "2026-11-01T10:05:03Z",
  Quantity: 1.5,
};
const OTHER = { ...EVENT, Quantity: 2.25 };
const EVENT_ID = eventId("usage", usageStream("web-egress"), { by: "position", producer: "plant-7", position: 1 });
const REASONS = [validationError("Quantity is required and absent", { index: 1, field: "Quantity" })];
const ANSWER_EXAMPLE = usageAnswer(
  [
    { index: 0, status: "accepted", id: EVENT_ID },
    { index: 1, status: "quarantined", id: EVENT_ID, reasons: REASONS },
  ],
  true,
);

const LINES = {
  schema: { ...TEXT, description: "One event a line." },
  example: `${JSON.stringify(EVENT)}\n${JSON.stringify(OTHER)}\n`,
};

const BODY: Members = {
  "application/json": {
    schema: USAGE_BODY,
    examples: {
      one: { value: EVENT },
      several: { value: [EVENT, OTHER] },
    },
  },
  "application/x-ndjson": LINES,
  "application/jsonl": LINES,
};

function edgeUsageDialect(meterGlobalId: string): EdgeDialect<ValidationError> {
  return {
    ...usageDialect(meterGlobalId),
    rulesBy({ streams }) {
      const stream = streams.get(meterGlobalId);
      if (stream === undefined) return null;
      return {
        check(event) {
          const errors = stream.check(event);
          return errors.length > 0 ? errors : feedErrors(event, stream.schema);
        },
        ownIdField: stream.schema.event_id_field ?? null,
        deduplicatesByContent: stream.schema.deduplicate_by_content ?? true,
        measure: (event) => measureOfUsage(event, stream.schema),
        group: () => null,
      };
    },
  };
}

function usageRoute(path: string, id: string): Route {
  return route(
    {
      method: "post",
      path,
      permission: ["METER_DATA.INGEST"],
      fromPages: true,
      params: { meterGlobalId: segment("The global id of a meter in the catalog.", "web-egress") },
      headers: [...INGEST_HEADERS, PREFER],
      ownBody: BODY,
      id,
      tag: "Usage",
      summary: "Accept usage events for a meter",
      description:
        "One event, an array, or lines. All or nothing, unless Prefer says handling=lenient: any invalid or conflicting " +
        "event is then a 400 and nothing is stored. An accepted event is stored before the answer leaves.",
      answers: {
        200: answer("Each event's fate, counted.", INGEST_ANSWER, ANSWER_EXAMPLE, ANSWER_HEADER.preferenceApplied),
      },
      refusals: [404, 507],
    },
    (c, { path: { meterGlobalId } }) => {
      if (!isWithin(c.get("principal").bounds.meters, meterGlobalId))
        return refuse(c, 403, "the tenant may not use this meter");
      return answerIngest(c, edgeUsageDialect(meterGlobalId));
    },
  );
}

const [STREAMING, BULK] = USAGE_PATHS;

export const usageRoutes = [usageRoute(STREAMING, "ingestUsage"), usageRoute(BULK, "ingestUsageInBulk")];
