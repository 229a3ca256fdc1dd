/** Solvimon's ingest doors, single and in lists, each in all its spellings. */
import type { SolvimonKind } from "../../shared/events/solvimon-fields.ts";
import { eventId } from "../../shared/identity.ts";
import { LIST_MEMBER, OBJECT_TYPE } from "../../shared/intake/solvimon-answer.ts";
import { usageAnswer } from "../../shared/intake/usage-answer.ts";
import { SOLVIMON_PATHS } from "../../shared/wire.ts";
import { answer, RATE_HEADERS } from "./answers.ts";
import { type JsonSchema, schemaRef } from "./json-schema.ts";
import { jsonBody, operation, type Paths } from "./operation.ts";
import type { ParameterName } from "./parameters.ts";
import { EXAMPLE } from "./solvimon-examples.ts";
import { SCHEMA_NAME } from "./solvimon-schemas.ts";

const KINDS = Object.keys(SOLVIMON_PATHS) as SolvimonKind[];
const HEADERS: readonly ParameterName[] = [
  "Version",
  "ContentEncoding",
  "AcceptEncoding",
  "TrackId",
  "PlatformId",
  "EntityIds",
  "OrgIds",
  "IdempotencyKey",
  "Producer",
  "Sequence",
];
const REFUSALS = [400, 401, 403, 409, 413, 415, 429, 503] as const;

export function solvimonPaths(): Paths {
  return Object.fromEntries(
    KINDS.flatMap((kind) => [
      ...SOLVIMON_PATHS[kind].single.map((path) => [versioned(path), { post: single(kind, path) }]),
      ...SOLVIMON_PATHS[kind].list.map((path) => [versioned(path), { post: inList(kind, path) }]),
    ]),
  );
}

export function versioned(path: string): string {
  return `/v{version}${path}`;
}

/** `/ingest/persist-data` is ingestPersistData. */
function idOf(path: string): string {
  return path.slice(1).replace(/[/-](.)/g, (_, letter: string) => letter.toUpperCase());
}

function single(kind: SolvimonKind, path: string): JsonSchema {
  const event = EXAMPLE[kind];
  const resource = {
    object_type: OBJECT_TYPE[kind],
    id: eventId(kind, kind, { by: "id", id: event.reference }),
    ...event,
  };
  const headers = ["Idempotent-Replayed", ...RATE_HEADERS] as const;
  return operation({
    id: idOf(path),
    tag: "Solvimon",
    summary: `Take one event: ${OBJECT_TYPE[kind]}`,
    description: "A repeat gets the answer the event got first; other content under its reference is a 409.",
    permissions: ["METER_DATA.INGEST"],
    dialect: "Solvimon",
    parameters: HEADERS,
    body: jsonBody(schemaRef(SCHEMA_NAME[kind]), event),
    answers: { 201: answer("The event, stored.", schemaRef(`${SCHEMA_NAME[kind]}Resource`), resource, headers) },
    refusals: REFUSALS,
  });
}

function inList(kind: SolvimonKind, path: string): JsonSchema {
  const event = EXAMPLE[kind];
  const id = eventId(kind, kind, { by: "id", id: event.reference });
  const taken = usageAnswer([{ index: 0, status: "accepted", id }], true);
  return operation({
    id: idOf(path),
    tag: "Solvimon",
    summary: `Take a list of events: ${OBJECT_TYPE[kind]}`,
    description: "All or nothing, unless Prefer says handling=lenient.",
    permissions: ["METER_DATA.INGEST"],
    dialect: "Solvimon",
    parameters: [...HEADERS, "Prefer"],
    body: jsonBody(schemaRef(`${SCHEMA_NAME[kind]}List`), { [LIST_MEMBER[kind]]: [event] }),
    answers: {
      200: answer("Each event's fate, counted.", schemaRef("IngestAnswer"), taken, [
        "Preference-Applied",
        ...RATE_HEADERS,
      ]),
    },
    refusals: REFUSALS,
  });
}
