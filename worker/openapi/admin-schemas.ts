/** What the ledger, the events read back, quarantine and API keys look like in answers. */
import { KINDS } from "../../shared/events/kind.ts";
import { streamSchema } from "../../shared/events/stream-schema.ts";
import { newKeySchema, rotationSchema } from "../accounts/key-requests.ts";
import { PERMISSIONS } from "../accounts/principal.ts";
import { catalogSchema } from "../catalog/schema/document.ts";
import { EVENT_STATES, QUARANTINE_STATES } from "../ledger/stored-event.ts";
import {
  COUNT,
  choice,
  described,
  type JsonSchema,
  list,
  type Members,
  nullable,
  object,
  schemaRef,
  TEXT,
  TIME,
} from "./json-schema.ts";
import { zodSchema } from "./zod-schema.ts";

const DIGEST: JsonSchema = { type: "string", pattern: "^[0-9a-f]{32}$" };
const EVENT: JsonSchema = { type: "object", description: "The event as it was sent, digit for digit." };
const STREAM = described(TEXT, "usage/METER, persist, charge, adjustment or meter-data.");

/** A page of a list. */
export function pageOf(items: JsonSchema): JsonSchema {
  return object({ items: list(items), next: described(nullable(TEXT), "The next page's cursor; null at the end.") });
}

export function adminSchemas(): Members {
  return {
    Catalog: zodSchema(catalogSchema),
    StreamSchema: zodSchema(streamSchema),
    NewKey: zodSchema(newKeySchema),
    Rotation: zodSchema(rotationSchema),
    Key: keySchema(),
    NewKeyAnswer: {
      allOf: [schemaRef("Key"), object({ key: described(TEXT, "The key itself, told this once.") })],
    },
    LedgerRow: ledgerRow(),
    Attempt: attempt(),
    StoredEvent: storedEvent(),
    QuarantineItem: quarantineItem(),
    Settled: object({
      success: { type: "boolean", const: true },
      message: TEXT,
      id: described(TEXT, "The quarantine entry's id."),
      event_id: TEXT,
    }),
    EventTrace: object({
      object_type: { type: "string", const: "EVENT_TRACE" },
      event_id: TEXT,
      event_object_type: TEXT,
      state: choice(EVENT_STATES),
      received_at: TIME,
      attempts: list(schemaRef("Attempt")),
    }),
  };
}

function keySchema(): JsonSchema {
  const ids = nullable(list(TEXT));
  return object({
    id: TEXT,
    tenant: TEXT,
    name: TEXT,
    permissions: list(choice(PERMISSIONS)),
    platform_ids: described(ids, "Null: any platform."),
    entity_ids: described(ids, "Null: none may be named."),
    org_ids: described(ids, "Null: none may be named."),
    created_at: TIME,
    expires_at: nullable(TIME),
    revoked_at: nullable(TIME),
  });
}

function ledgerRow(): JsonSchema {
  const counts = ["accepted", "duplicates", "conflicts", "pending", "delivered", "quarantined", "discarded"];
  const gap = list(COUNT, { minItems: 2, maxItems: 2 });
  return object(
    {
      kind: choice(KINDS),
      stream: STREAM,
      ...Object.fromEntries(counts.map((name) => [name, COUNT])),
      gaps: described(
        list(gap, { maxItems: 1000 }),
        "Positions missing between first and last, ends inclusive; further ones by gaps_after.",
      ),
      digest: described(DIGEST, "Over the ids of all events accepted, whatever their order."),
    },
    {
      producer: TEXT,
      first_sequence: COUNT,
      last_sequence: COUNT,
      gaps_total: COUNT,
      positions_digest: described(DIGEST, "Over the ids of all positions taken."),
    },
    { description: "accepted = pending + delivered + quarantined + discarded." },
  );
}

function attempt(): JsonSchema {
  return object({
    call: described(TEXT, "The call upstream it was part of."),
    attempt: { type: "integer", minimum: 1 },
    at: TIME,
    duration_ms: COUNT,
    status: described(nullable({ type: "integer" }), "HTTP status; null where no answer came."),
    verdict: TEXT,
    message: described(nullable(TEXT), "The upstream's own words."),
  });
}

function storedEvent(): JsonSchema {
  return object(
    {
      id: TEXT,
      stream: STREAM,
      state: choice(EVENT_STATES),
      received_at: TIME,
      batch: object({ id: TEXT, entry: COUNT }),
      event: EVENT,
    },
    {
      producer: TEXT,
      position: COUNT,
      attempts: described(list(schemaRef("Attempt")), "Every delivery attempt; of a single event only."),
    },
  );
}

function quarantineItem(): JsonSchema {
  return object(
    {
      id: TEXT,
      event_id: TEXT,
      stream: STREAM,
      state: choice(QUARANTINE_STATES),
      created_at: TIME,
      event: EVENT,
      reasons: list(schemaRef("ValidationError")),
    },
    {
      upstream: described(TEXT, "The upstream's own words, where it refused."),
      settled_at: TIME,
      reason: described(TEXT, "Why it was discarded."),
    },
  );
}
