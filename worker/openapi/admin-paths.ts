/** The admin's routes: catalog, ledger and quarantine; and the two reads that agents have of them. */

import { usageStream } from "../../shared/events/kind.ts";
import { DEFAULT_FIELDS } from "../../shared/events/stream-schema.ts";
import { validationError } from "../../shared/events/validation-error.ts";
import { eventId } from "../../shared/identity.ts";
import { pageOf } from "./admin-schemas.ts";
import { answer, emptyAnswer } from "./answers.ts";
import { type JsonSchema, list, object, schemaRef, TEXT } from "./json-schema.ts";
import { jsonBody, operation, type Paths } from "./operation.ts";

const ADMIN = ["WEIR.ADMIN", "WEIR.OPERATOR"] as const;
const STREAM = usageStream("web-egress");
const EVENT_ID = eventId("usage", STREAM, { by: "position", producer: "plant-7", position: 1 });
const CATALOG = {
  settings: { catalog: "pass" },
  streams: [{ meter_global_id: "web-egress", name: "Web egress", fields: DEFAULT_FIELDS }],
};
const ROW = {
  kind: "usage",
  stream: STREAM,
  producer: "plant-7",
  accepted: 100,
  duplicates: 2,
  conflicts: 0,
  pending: 10,
  delivered: 89,
  quarantined: 1,
  discarded: 0,
  first_sequence: 1,
  last_sequence: 101,
  gaps: [[40, 40]],
  gaps_total: 1,
  digest: "0123456789abcdef0123456789abcdef",
  positions_digest: "0123456789abcdef0123456789abcdef",
};

export function adminPaths(): Paths {
  return {
    "/admin/catalog": { get: getCatalog(), put: putCatalog() },
    "/schemas": { get: getSchemas() },
    "/admin/ledger": { get: adminLedger() },
    "/ledger": { get: producerLedger() },
    "/admin/quarantine": { get: listQuarantine() },
    "/admin/quarantine/{id}/replay": { post: replay() },
    "/admin/quarantine/{id}/discard": { post: discard() },
  };
}

function getCatalog(): JsonSchema {
  return operation({
    id: "getCatalog",
    tag: "Catalog",
    summary: "Read the catalog; what this gives, PUT takes",
    permissions: ADMIN,
    parameters: ["Tenant", "PlatformId"],
    answers: { 200: answer("The whole catalog.", schemaRef("Catalog"), CATALOG) },
    refusals: [401, 403, 503],
  });
}

function putCatalog(): JsonSchema {
  return operation({
    id: "putCatalog",
    tag: "Catalog",
    summary: "Replace the catalog",
    description: "Checked whole and applied whole; a 400 lists every fault, and the old catalog stands.",
    permissions: ADMIN,
    parameters: ["Tenant", "ContentEncoding", "PlatformId"],
    body: jsonBody(schemaRef("Catalog"), CATALOG),
    answers: { 200: answer("The catalog as it stands now.", schemaRef("Catalog"), CATALOG) },
    refusals: [400, 401, 403, 413, 415, 503],
  });
}

function getSchemas(): JsonSchema {
  const schemas = object({ streams: list(schemaRef("StreamSchema")) });
  return operation({
    id: "getSchemas",
    tag: "Catalog",
    summary: "Read the event schemas, as agents do",
    permissions: ["METER_DATA.INGEST"],
    parameters: ["IfNoneMatch", "PlatformId"],
    answers: {
      200: answer("The catalog's streams.", schemas, { streams: CATALOG.streams }, ["ETag", "Cache-Control"]),
      304: emptyAnswer("What you have still stands.", ["ETag", "Cache-Control"]),
    },
    refusals: [401, 403, 503],
  });
}

const ROWS = answer("A row a stream and producer.", object({ items: list(schemaRef("LedgerRow")) }), { items: [ROW] });

function adminLedger(): JsonSchema {
  return operation({
    id: "getLedger",
    tag: "Ledger",
    summary: "Read the counts of every stream and producer",
    permissions: ADMIN,
    parameters: ["ProducerName", "StreamName", "GapsAfter", "Tenant", "PlatformId"],
    answers: { 200: ROWS },
    refusals: [400, 401, 403, 503],
  });
}

function producerLedger(): JsonSchema {
  return operation({
    id: "getProducerLedger",
    tag: "Ledger",
    summary: "Read a producer's own counts, to hold its ledger against them",
    permissions: ["METER_DATA.INGEST"],
    parameters: ["ThisProducer", "StreamName", "GapsAfter", "PlatformId"],
    answers: { 200: ROWS },
    refusals: [400, 401, 403, 503],
  });
}

function listQuarantine(): JsonSchema {
  const item = {
    id: "1",
    event_id: EVENT_ID,
    stream: STREAM,
    state: "open",
    created_at: "2026-11-01T10:05:03.551Z",
    event: { CustomerId: "cus_1", Quantity: "many" },
    reasons: [validationError("Quantity must be a number, got a string", { index: 0, field: "Quantity" })],
  };
  return operation({
    id: "listQuarantine",
    tag: "Quarantine",
    summary: "List what waits for a person, and why",
    permissions: ADMIN,
    parameters: ["QuarantineState", "Limit", "Cursor", "Tenant", "PlatformId"],
    answers: { 200: answer("A page of entries.", pageOf(schemaRef("QuarantineItem")), { items: [item], next: null }) },
    refusals: [400, 401, 403, 503],
  });
}

function settled(message: string): JsonSchema {
  const done = { success: true, message, id: "1", event_id: EVENT_ID };
  return answer(message, schemaRef("Settled"), done);
}

function replay(): JsonSchema {
  const event = {
    CustomerId: "cus_1",
    UsageIdentifier: "egress_bytes",
    UsageDate: "2026-11-01T10:05:03Z",
    Quantity: 3,
  };
  const body = object(
    {},
    { event: { type: "object", description: "The corrected event; absent: as it is." } },
    {
      additionalProperties: false,
    },
  );
  return operation({
    id: "replayQuarantined",
    tag: "Quarantine",
    summary: "Send an event again, as it is or corrected; it keeps its id",
    permissions: ADMIN,
    parameters: ["EntryId", "Tenant", "PlatformId"],
    body: jsonBody(body, { event }, false),
    answers: { 202: settled("the event is pending again") },
    refusals: [400, 401, 403, 404, 409, 413, 503],
  });
}

function discard(): JsonSchema {
  const reason: JsonSchema = { ...TEXT, minLength: 1, maxLength: 1000, description: "Why; kept on record." };
  return operation({
    id: "discardQuarantined",
    tag: "Quarantine",
    summary: "Give an event up; it stays on record and is known as a duplicate",
    permissions: ADMIN,
    parameters: ["EntryId", "Tenant", "PlatformId"],
    body: jsonBody(object({ reason }), { reason: "a test of ours, never used" }),
    answers: { 200: settled("the event is discarded") },
    refusals: [400, 401, 403, 404, 409, 413, 503],
  });
}
