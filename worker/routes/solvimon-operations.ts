/** Solvimon's ingest doors, single and in lists, each in all its spellings. */
import type { SolvimonKind } from "../../shared/events/solvimon-fields.ts";
import { eventId } from "../../shared/identity.ts";
import { LIST_MEMBER, OBJECT_TYPE } from "../../shared/intake/solvimon-answer.ts";
import { usageAnswer } from "../../shared/intake/usage-answer.ts";
import { SOLVIMON_PATHS } from "../../shared/wire.ts";
import { describeParameter } from "../http/parameters.ts";
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
import type { JsonSchema } from "../openapi/json-schema.ts";
import { operation, RATE_HEADERS } from "../openapi/operation.ts";
import { EXAMPLE } from "../openapi/solvimon-examples.ts";
import { EVENT_SCHEMA, LIST_SCHEMA, RESOURCE_SCHEMA } from "../openapi/solvimon-schemas.ts";
import { VERSION, versioned } from "./version.ts";

const KINDS = Object.keys(SOLVIMON_PATHS) as SolvimonKind[];
const PARAMETERS: readonly JsonSchema[] = [
  describeParameter("path", "version", VERSION),
  CONTENT_ENCODING,
  ACCEPT_ENCODING,
  TRACK_ID,
  PLATFORM_ID,
  ENTITY_IDS,
  ORG_IDS,
  IDEMPOTENCY_KEY,
  PRODUCER,
  SEQUENCE,
];
const REFUSALS = [400, 401, 403, 409, 413, 415, 429, 503] as const;

const INGEST = { permissions: ["METER_DATA.INGEST"], refusals: REFUSALS, answerHeaders: RATE_HEADERS } as const;

export const solvimonOperations: readonly DescribedRoute[] = KINDS.flatMap((kind) => [
  ...SOLVIMON_PATHS[kind].single.map((path) => ({
    method: "post",
    path: versioned(path),
    operation: single(kind, path),
  })),
  ...SOLVIMON_PATHS[kind].list.map((path) => ({
    method: "post",
    path: versioned(path),
    operation: inList(kind, path),
  })),
]);

/** `/ingest/persist-data` is ingestPersistData. */
function idOf(path: string): string {
  return path.slice(1).replace(/[/-](.)/g, (_, letter: string) => letter.toUpperCase());
}

function jsonContent(schema: JsonSchema, example: unknown): JsonSchema {
  return { required: true, content: { "application/json": { schema, example } } };
}

function single(kind: SolvimonKind, path: string): JsonSchema {
  const event = EXAMPLE[kind];
  const resource = {
    object_type: OBJECT_TYPE[kind],
    id: eventId(kind, kind, { by: "id", id: event.reference }),
    ...event,
  };
  return operation(
    {
      id: idOf(path),
      tag: "Solvimon",
      summary: `Accept one event: ${OBJECT_TYPE[kind]}`,
      description: "A repeat gets the answer the event got first; other content under its reference is a 409.",
      dialect: "Solvimon",
      answers: { 201: answer("The event, stored.", RESOURCE_SCHEMA[kind], resource, ANSWER_HEADER.idempotentReplayed) },
    },
    { ...INGEST, parameters: PARAMETERS, body: jsonContent(EVENT_SCHEMA[kind], event) },
  );
}

function inList(kind: SolvimonKind, path: string): JsonSchema {
  const event = EXAMPLE[kind];
  const id = eventId(kind, kind, { by: "id", id: event.reference });
  const accepted = usageAnswer([{ index: 0, status: "accepted", id }], true);
  return operation(
    {
      id: idOf(path),
      tag: "Solvimon",
      summary: `Accept a list of events: ${OBJECT_TYPE[kind]}`,
      description: "All or nothing, unless Prefer says handling=lenient.",
      dialect: "Solvimon",
      answers: { 200: answer("Each event's fate, counted.", INGEST_ANSWER, accepted, ANSWER_HEADER.preferenceApplied) },
    },
    {
      ...INGEST,
      parameters: [...PARAMETERS, PREFER],
      body: jsonContent(LIST_SCHEMA[kind], { [LIST_MEMBER[kind]]: [event] }),
    },
  );
}
