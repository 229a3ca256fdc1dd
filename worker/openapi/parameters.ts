/** Every header and query parameter a request may carry, each described once. */
import { PRODUCER_PATTERN } from "../../shared/wire.ts";
import { EVENT_STATES, QUARANTINE_STATES } from "../ledger/stored-event.ts";
import { choice, type JsonSchema, type Members, TEXT, TIME } from "./json-schema.ts";

type Place = "header" | "query" | "path";

function parameter(place: Place, name: string, schema: JsonSchema, description: string, example?: unknown): JsonSchema {
  return {
    name,
    in: place,
    required: place === "path",
    schema,
    description,
    ...(example === undefined ? {} : { example }),
  };
}

const whole = (minimum: number, maximum: number): JsonSchema => ({ type: "integer", minimum, maximum });

const HEADERS = {
  ContentEncoding: parameter("header", "Content-Encoding", choice(["gzip", "identity"]), "How the body is coded."),
  AcceptEncoding: parameter("header", "Accept-Encoding", TEXT, "gzip: answers above 1,000 bytes are compressed."),
  TrackId: parameter(
    "header",
    "Zuora-Track-Id",
    { type: "string", maxLength: 64, pattern: "^[ !#-&(-9<-~]*$" },
    "Your own name for the call, US-ASCII without : ; \" '; echoed in the answer.",
    "invoice-run-42",
  ),
  EntityIds: parameter(
    "header",
    "Zuora-Entity-Ids",
    TEXT,
    "Entity ids, comma separated, as far as the key may use them.",
  ),
  OrgIds: parameter("header", "Zuora-Org-Ids", TEXT, "Org ids, comma separated, as far as the key may use them."),
  PlatformId: parameter("header", "x-platform-id", TEXT, "The platform; a key with a list must cover it."),
  IdempotencyKey: parameter(
    "header",
    "Idempotency-Key",
    { type: "string", minLength: 1, maxLength: 255 },
    "Gives each event that has no id of its own the identity KEY#INDEX, so that a repeat is a duplicate.",
    "upload-2026-11-01",
  ),
  Producer: parameter(
    "header",
    "Weir-Producer",
    { type: "string", pattern: PRODUCER_PATTERN.source },
    "The name of a sender that numbers its events; only with Weir-Sequence.",
    "plant-7",
  ),
  Sequence: parameter(
    "header",
    "Weir-Sequence",
    whole(0, Number.MAX_SAFE_INTEGER),
    "The position of the body's first event; event i has this plus i. Only with Weir-Producer.",
    1,
  ),
  Prefer: parameter(
    "header",
    "Prefer",
    TEXT,
    "handling=lenient: valid events are stored, invalid ones quarantined. return=representation: a result an event.",
    "handling=lenient, return=representation",
  ),
  IfNoneMatch: parameter(
    "header",
    "If-None-Match",
    TEXT,
    "The ETag of the schemas you have: 304 where they still stand.",
  ),
} as const;

const QUERY = {
  CostPrediction: parameter(
    "query",
    "cost_prediction",
    { type: "boolean", default: false },
    "Whether to tell the cost.",
    false,
  ),
  Tenant: parameter("query", "tenant", TEXT, "Whose data; another tenant's only with WEIR.OPERATOR."),
  Limit: parameter("query", "limit", { ...whole(1, 1000), default: 100 }, "How many items a page holds.", 100),
  Cursor: parameter("query", "cursor", TEXT, "Where to go on: the `next` of the page before."),
  StreamName: parameter(
    "query",
    "stream",
    TEXT,
    "A stream by its name: usage/METER, persist, charge, …",
    "usage/web-egress",
  ),
  ProducerName: parameter("query", "producer", TEXT, "A producer by its name.", "plant-7"),
  GapsAfter: parameter(
    "query",
    "gaps_after",
    whole(0, Number.MAX_SAFE_INTEGER),
    "Gaps are listed that begin after this position: the end of the last one listed gives the next page.",
    1,
  ),
  State: parameter("query", "state", choice(EVENT_STATES), "What became of the event.", "pending"),
  From: parameter("query", "from", TIME, "Received at or after this time.", "2026-01-01T00:00:00Z"),
  To: parameter("query", "to", TIME, "Received at or before this time.", "2100-01-01T00:00:00Z"),
  QuarantineState: parameter(
    "query",
    "state",
    { ...choice(QUARANTINE_STATES), default: "open" },
    "Open unless named.",
    "open",
  ),
  ThisProducer: {
    ...parameter("query", "producer", { type: "string", pattern: PRODUCER_PATTERN.source }, "Whose rows.", "plant-7"),
    required: true,
  },
} as const;

const PATH = {
  MeterGlobalId: parameter("path", "meterGlobalId", TEXT, "The global id of a meter in the catalog.", "web-egress"),
  Version: parameter("path", "version", { type: "string", const: "1", default: "1" }, "The API's version.", "1"),
  EventId: parameter("path", "id", TEXT, "An event's id.", "mtda_0000000000000000000"),
  KeyId: parameter("path", "id", TEXT, "An API key's id.", "key_0000000000000000000"),
  EntryId: parameter("path", "id", TEXT, "A quarantine entry's id.", "1"),
} as const;

export const PARAMETERS = { ...HEADERS, ...QUERY, ...PATH } as const satisfies Members;
export type ParameterName = keyof typeof PARAMETERS;

export function parameterRefs(names: readonly ParameterName[]): JsonSchema[] {
  return names.map((name) => ({ $ref: `#/components/parameters/${name}` }));
}
