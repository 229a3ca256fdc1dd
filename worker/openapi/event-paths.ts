/** Events read back: Solvimon's own routes, and the admin's for every stream. */

import { eventId } from "../../shared/identity.ts";
import { OBJECT_TYPE } from "../../shared/intake/solvimon-answer.ts";
import { pageOf } from "./admin-schemas.ts";
import { answer } from "./answers.ts";
import { type JsonSchema, schemaRef } from "./json-schema.ts";
import { operation, type Paths } from "./operation.ts";
import { EXAMPLE } from "./solvimon-examples.ts";
import { versioned } from "./solvimon-paths.ts";
import { SCHEMA_NAME } from "./solvimon-schemas.ts";

const METER_DATA = EXAMPLE["meter-data"];
const ID = eventId("meter-data", "meter-data", { by: "id", id: METER_DATA.reference });
const RESOURCE = { object_type: OBJECT_TYPE["meter-data"], id: ID, ...METER_DATA };
const ATTEMPT = {
  call: "17",
  attempt: 1,
  at: "2026-11-01T10:05:04.120Z",
  duration_ms: 84,
  status: 201,
  verdict: "delivered",
  message: null,
};
const STORED = {
  id: ID,
  stream: "meter-data",
  state: "delivered",
  received_at: "2026-11-01T10:05:03.551Z",
  batch: { id: "1793527503551042", entry: 0 },
};

/** Any of the four resources, told apart by their object type. */
function anyResource(): JsonSchema {
  return { oneOf: Object.values(SCHEMA_NAME).map((name) => schemaRef(`${name}Resource`)) };
}

export function eventPaths(): Paths {
  return {
    [versioned("/events")]: { get: listResources() },
    [versioned("/events/{id}")]: { get: getResource() },
    [versioned("/events/{id}/event_trace")]: { get: getTrace() },
    "/admin/events": { get: listStored() },
    "/admin/events/{id}": { get: getStored() },
  };
}

const READER = {
  tag: "Solvimon",
  permissions: ["METER_DATA.INGEST", "WEIR.ADMIN", "WEIR.OPERATOR"],
  dialect: "Solvimon",
} as const;
const ADMIN = { tag: "Ledger", permissions: ["WEIR.ADMIN", "WEIR.OPERATOR"] } as const;

function listResources(): JsonSchema {
  const page = { items: [RESOURCE], next: null };
  return operation({
    ...READER,
    id: "listResources",
    summary: "List Solvimon events, in the order they were taken",
    parameters: ["Version", "PlatformId", "TrackId", "Limit", "Cursor"],
    answers: { 200: answer("A page of events.", pageOf(anyResource()), page) },
    refusals: [400, 401, 403, 503],
  });
}

function getResource(): JsonSchema {
  return operation({
    ...READER,
    id: "getResource",
    summary: "Read a Solvimon event, as its 201 gave it",
    parameters: ["Version", "EventId", "PlatformId", "TrackId"],
    answers: { 200: answer("The event.", anyResource(), RESOURCE) },
    refusals: [400, 401, 403, 404, 503],
  });
}

function getTrace(): JsonSchema {
  const trace = {
    object_type: "EVENT_TRACE",
    event_id: ID,
    event_object_type: OBJECT_TYPE["meter-data"],
    state: "delivered",
    received_at: STORED.received_at,
    attempts: [ATTEMPT],
  };
  return operation({
    ...READER,
    id: "getEventTrace",
    summary: "What became of a Solvimon event, attempt by attempt",
    parameters: ["Version", "EventId", "PlatformId", "TrackId"],
    answers: { 200: answer("The event's way.", schemaRef("EventTrace"), trace) },
    refusals: [400, 401, 403, 404, 503],
  });
}

function listStored(): JsonSchema {
  const page = { items: [{ ...STORED, event: METER_DATA }], next: `${STORED.batch.id}.1` };
  return operation({
    ...ADMIN,
    id: "listEvents",
    summary: "List events of every stream",
    parameters: ["StreamName", "ProducerName", "State", "From", "To", "Limit", "Cursor", "Tenant", "PlatformId"],
    answers: { 200: answer("A page of events.", pageOf(schemaRef("StoredEvent")), page) },
    refusals: [400, 401, 403, 503],
  });
}

function getStored(): JsonSchema {
  return operation({
    ...ADMIN,
    id: "getEvent",
    summary: "Read an event, where it is filed, and every delivery attempt",
    parameters: ["EventId", "Tenant", "PlatformId"],
    answers: {
      200: answer("The event.", schemaRef("StoredEvent"), { ...STORED, attempts: [ATTEMPT], event: METER_DATA }),
    },
    refusals: [401, 403, 404, 503],
  });
}
