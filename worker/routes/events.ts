/** Events read back: Solvimon's own routes for its kinds, the admin's for every stream. */
import { isSolvimonKind, parseStream, SOLVIMON, SOLVIMON_KINDS } from "../../shared/events/kind.ts";
import { eventId } from "../../shared/identity.ts";
import { resourceText } from "../../shared/intake/solvimon-answer.ts";
import type { Permission } from "../accounts/principal.ts";
import { refuse, type WeirContext } from "../context.ts";
import { cursor, LIMIT, pageOf } from "../http/page.ts";
import { segment, text, time, word } from "../http/parameters.ts";
import { ADMIN, type FindOutcome, route } from "../http/route.ts";
import { BEGINNING, cursorText, type EventCursor, parseCursor, streamMark } from "../ledger/event-cursor.ts";
import { EVERYTHING, type EventFilter } from "../ledger/event-filter.ts";
import type { EventAttempt } from "../ledger/event-reader.ts";
import { EVENT_STATES, type EventState, type StoredEvent } from "../ledger/stored-event.ts";
import { answer } from "../openapi/answers.ts";
import { schema } from "../openapi/component.ts";
import { TRACK_ID } from "../openapi/headers.ts";
import {
  COUNT,
  choice,
  described,
  type JsonSchema,
  list,
  nullable,
  object,
  TEXT,
  TIME,
} from "../openapi/json-schema.ts";
import { EXAMPLE } from "../openapi/solvimon-examples.ts";
import { RESOURCE_SCHEMA } from "../openapi/solvimon-schemas.ts";
import { PRODUCER, STREAM, STREAM_NAME } from "./filters.ts";
import { VERSION, versioned } from "./version.ts";

const ATTEMPT = schema(
  "Attempt",
  object({
    call: described(TEXT, "The call upstream it was part of: its idempotency-key there."),
    attempt: { type: "integer", minimum: 1 },
    at: TIME,
    duration_ms: COUNT,
    status: described(nullable({ type: "integer" }), "HTTP status; null where no answer came."),
    verdict: TEXT,
    message: described(nullable(TEXT), "The upstream's response text."),
  }),
);
const STORED_EVENT = schema(
  "StoredEvent",
  object(
    {
      id: described(
        nullable(TEXT),
        "Null where only the content told it, and that was removed; reading by id knows it.",
      ),
      stream: STREAM_NAME,
      state: choice(EVENT_STATES),
      received_at: TIME,
      batch: object({ id: TEXT, entry: COUNT }),
      event: described(
        nullable({ type: "object" }),
        "The event as it was sent, digit for digit. Null where it was removed, or cannot be read back just now.",
      ),
    },
    {
      producer: TEXT,
      position: COUNT,
      archived_at: described(TIME, "When it left the database for the archive, from where it is read."),
      removed_at: described(TIME, "When it left the database for good."),
      attempts: described(list(ATTEMPT), "Every delivery attempt; of a single event only."),
    },
  ),
);
const EVENT_TRACE = schema(
  "EventTrace",
  object({
    object_type: { type: "string", const: "EVENT_TRACE" },
    event_id: TEXT,
    event_object_type: TEXT,
    state: choice(EVENT_STATES),
    received_at: TIME,
    attempts: list(ATTEMPT),
  }),
);
/** Any of the four resources, told apart by their object type. */
const ANY_RESOURCE: JsonSchema = { oneOf: Object.values(RESOURCE_SCHEMA) };

const METER_DATA = EXAMPLE["meter-data"];
const ID = eventId("meter-data", "meter-data", { by: "id", id: METER_DATA.reference });
const RESOURCE_EXAMPLE = { object_type: SOLVIMON["meter-data"].objectType, id: ID, ...METER_DATA };
const ATTEMPT_EXAMPLE = {
  call: "3f0e0a52-6f2b-4c7e-9d43-0c5d1f8f7a10",
  attempt: 1,
  at: "2026-11-01T10:05:04.120Z",
  duration_ms: 84,
  status: 201,
  verdict: "delivered",
  message: null,
};
const STORED_EXAMPLE = {
  id: ID,
  stream: "meter-data",
  state: "delivered",
  received_at: "2026-11-01T10:05:03.551Z",
  batch: { id: "1793527503551042", entry: 0 },
};
const TRACE_EXAMPLE = {
  object_type: "EVENT_TRACE",
  event_id: ID,
  event_object_type: SOLVIMON["meter-data"].objectType,
  state: "delivered",
  received_at: STORED_EXAMPLE.received_at,
  attempts: [ATTEMPT_EXAMPLE],
};

const EVENT_ID = segment("An event's id.", "mtda_0000000000000000000");
const CURSOR = cursor<EventCursor>(BEGINNING, parseCursor);
const STATE = word("state", EVENT_STATES, null, "What became of the event.", "pending");

const ALL_SOLVIMON: EventFilter = { ...EVERYTHING, streams: SOLVIMON_KINDS };

async function listPage(
  c: WeirContext,
  filter: EventFilter,
  page: { readonly cursor: EventCursor; readonly limit: number },
  textOf: (event: StoredEvent) => string,
): Promise<Response> {
  const outcome = await c.get("services").events.list(c.get("tenant"), filter, page.cursor, page.limit);
  if (outcome.kind === "too-many-streams")
    return refuse(c, 400, `name a stream with stream=: there are more than ${outcome.max}`);
  const { events, next } = outcome.page;
  const after = next === null ? "null" : JSON.stringify(cursorText(next));
  return jsonText(c, `{"items":[${events.map((event) => textOf(event)).join(",")}],"next":${after}}`);
}

interface StoredQuery {
  readonly stream: string | null;
  readonly producer: string | null;
  readonly state: EventState | null;
  readonly from: number | null;
  readonly to: number | null;
  readonly own_id: string | null;
  readonly key: string | null;
  readonly customer: string | null;
}

async function filterOf(c: WeirContext, query: StoredQuery): Promise<EventFilter> {
  const { stream, producer, state, from, to, own_id: ownId, key, customer } = query;
  return {
    streams: stream === null ? null : [stream],
    producer,
    state,
    from: from ?? EVERYTHING.from,
    to: to ?? EVERYTHING.to,
    ownId,
    key,
    customer: customer === null ? null : { text: customer, fieldsOf: await customerFields(c) },
  };
}

/** Zuora's field for it. */
const CUSTOMER_FIELD = "CustomerId";

/** Where events name their customer: a usage stream's catalog entry says so. */
async function customerFields(c: WeirContext): Promise<(stream: string) => readonly string[]> {
  const { catalogs, clock } = c.get("services");
  const { streams } = await catalogs.load(c.get("tenant"), clock.now());
  return (stream) => {
    const parsed = parseStream(stream);
    if (parsed?.kind !== "usage") return ["customer_reference", "customer_id"];
    const schema = streams.get(parsed.meterGlobalId)?.schema;
    return [schema?.customer_field ?? schema?.feeds?.customer_field ?? CUSTOMER_FIELD];
  };
}

function resourceOf(event: StoredEvent): string {
  if (!isSolvimonKind(event.kind)) throw new Error("a usage event is no Solvimon resource");
  const { kind, id, source, receivedAt } = event;
  if (id !== null && source !== null) return resourceText(kind, id, source, receivedAt);
  const objectType = SOLVIMON[event.kind].objectType;
  return JSON.stringify({ object_type: objectType, id, created_at: receivedAt, ...departed(event), payload: null });
}

/** When an event's payload left the database, and how. */
function departed({ departure }: StoredEvent): Record<string, string> {
  return departure === null ? {} : { [`${departure.kind}_at`]: departure.at };
}

const BEHIND = "more events came in than are searchable yet; this one may be among them";
/** By then a sweep has gone on. */
const SWEEP_SECONDS = 60;

async function findEvent(c: WeirContext, { id }: { readonly id: string }): Promise<FindOutcome<StoredEvent>> {
  const outcome = await c.get("services").events.find(c.get("tenant"), id);
  switch (outcome.kind) {
    case "found":
      return { kind: "found", found: outcome.event };
    case "missing":
      return { kind: "missing", message: "there is no such event" };
    case "behind":
      return { kind: "unsettled", message: BEHIND, retryAfterSeconds: SWEEP_SECONDS };
  }
}

/** A Solvimon event of the key's tenant; usage events are none. */
async function findResource(c: WeirContext, path: { readonly id: string }): Promise<FindOutcome<StoredEvent>> {
  const outcome = await findEvent(c, path);
  const isOther = outcome.kind === "found" && !isSolvimonKind(outcome.found.kind);
  return isOther ? { kind: "missing", message: "there is no such event" } : outcome;
}

async function getTrace(c: WeirContext, event: StoredEvent): Promise<Response> {
  if (!isSolvimonKind(event.kind)) throw new Error("a usage event is no Solvimon resource");
  const attempts = await c.get("services").events.attempts(event);
  return c.json({
    object_type: "EVENT_TRACE",
    event_id: event.id,
    event_object_type: SOLVIMON[event.kind].objectType,
    state: event.state,
    received_at: event.receivedAt,
    attempts: attempts.map(attemptOf),
  });
}

function attemptOf(row: EventAttempt) {
  const { call_key, attempt, at, duration_ms, status, verdict, message } = row;
  return { call: call_key, attempt, at: new Date(at).toISOString(), duration_ms, status, verdict, message };
}

async function getEvent(c: WeirContext, event: StoredEvent): Promise<Response> {
  const attempts = await c.get("services").events.attempts(event);
  return jsonText(c, eventText(event, attempts.map(attemptOf)));
}

/** An event with its ledger data; its own text stands in the answer as it was sent. */
function eventText(event: StoredEvent, attempts?: readonly unknown[]): string {
  const { id, stream, producer, position, state, receivedAt, batch } = event;
  const fields = {
    id,
    stream,
    ...(producer === null ? {} : { producer }),
    ...(position === null ? {} : { position }),
    state,
    received_at: receivedAt,
    ...departed(event),
    batch: { id: String(batch), entry: event.entry },
    ...(attempts === undefined ? {} : { attempts }),
  };
  return `${JSON.stringify(fields).slice(0, -1)},"event":${event.source ?? "null"}}`;
}

function jsonText(c: WeirContext, text: string): Response {
  c.header("Content-Type", "application/json");
  return c.body(text);
}

const READER: readonly Permission[] = ["METER_DATA.INGEST", "WEIR.ADMIN", "WEIR.OPERATOR"];

const resourceRoutes = [
  route(
    {
      method: "get",
      path: versioned("/events"),
      permission: READER,
      params: { version: VERSION },
      query: { limit: LIMIT, cursor: CURSOR },
      strictQuery: true,
      headers: [TRACK_ID],
      id: "listResources",
      tag: "Solvimon",
      dialect: "Solvimon",
      summary: "List Solvimon events, in the order they were accepted",
      answers: { 200: answer("A page of events.", pageOf(ANY_RESOURCE), { items: [RESOURCE_EXAMPLE], next: null }) },
    },
    (c, { query }) => listPage(c, ALL_SOLVIMON, query, resourceOf),
  ),
  route(
    {
      method: "get",
      path: versioned("/events/:id"),
      permission: READER,
      params: { version: VERSION, id: EVENT_ID },
      find: findResource,
      headers: [TRACK_ID],
      id: "getResource",
      tag: "Solvimon",
      dialect: "Solvimon",
      summary: "Read a Solvimon event, as its 201 gave it",
      answers: { 200: answer("The event.", ANY_RESOURCE, RESOURCE_EXAMPLE) },
      refusals: [400],
    },
    (c, { found }) => jsonText(c, resourceOf(found)),
  ),
  route(
    {
      method: "get",
      path: versioned("/events/:id/event_trace"),
      permission: READER,
      params: { version: VERSION, id: EVENT_ID },
      find: findResource,
      headers: [TRACK_ID],
      id: "getEventTrace",
      tag: "Solvimon",
      dialect: "Solvimon",
      summary: "What became of a Solvimon event, attempt by attempt",
      answers: { 200: answer("What became of it.", EVENT_TRACE, TRACE_EXAMPLE) },
      refusals: [400],
    },
    (c, { found }) => getTrace(c, found),
  ),
];

const storedRoutes = [
  route(
    {
      method: "get",
      path: "/admin/events",
      permission: ADMIN,
      query: {
        stream: STREAM,
        producer: PRODUCER,
        state: STATE,
        from: time("from", "Received at or after this time.", "2026-01-01T00:00:00Z"),
        to: time("to", "Received at or before this time.", "2100-01-01T00:00:00Z"),
        own_id: text("The event's own id: its `reference`, or what the stream's `event_id_field` holds.", "order-1"),
        key: text("The Idempotency-Key that gave the events of a request their identity.", "nightly-2026-11-20"),
        customer: text("What the event's customer field holds (see the catalog).", "cus_1"),
        limit: LIMIT,
        cursor: CURSOR,
      },
      id: "listEvents",
      tag: "Ledger",
      summary: "List events of every stream",
      answers: {
        200: answer("A page of events.", pageOf(STORED_EVENT), {
          items: [{ ...STORED_EXAMPLE, event: METER_DATA }],
          next: cursorText(new Map([[streamMark("meter-data"), { seq: Number(STORED_EXAMPLE.batch.id), entry: 1 }]])),
        }),
      },
    },
    async (c, { query }) => listPage(c, await filterOf(c, query), query, eventText),
  ),
  route(
    {
      method: "get",
      path: "/admin/events/:id",
      permission: ADMIN,
      params: { id: EVENT_ID },
      find: findEvent,
      id: "getEvent",
      tag: "Ledger",
      summary: "Read an event, where it is filed, and every delivery attempt",
      answers: {
        200: answer("The event.", STORED_EVENT, {
          ...STORED_EXAMPLE,
          attempts: [ATTEMPT_EXAMPLE],
          event: METER_DATA,
        }),
      },
    },
    (c, { found }) => getEvent(c, found),
  ),
];

export const eventRoutes = [...resourceRoutes, ...storedRoutes];
