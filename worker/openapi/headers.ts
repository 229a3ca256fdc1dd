/** Every header that a request may carry, each described once. */
import { PRODUCER_PATTERN } from "../../shared/wire.ts";
import { component } from "./component.ts";
import { choice, type JsonSchema, TEXT } from "./json-schema.ts";

function header(name: string, schema: JsonSchema, description: string, example?: unknown): JsonSchema {
  const described = { name, in: "header", required: false, schema, description };
  return component("parameters", name, { ...described, ...(example === undefined ? {} : { example }) });
}

export const CONTENT_ENCODING = header("Content-Encoding", choice(["gzip", "identity"]), "How the body is coded.");
export const ACCEPT_ENCODING = header("Accept-Encoding", TEXT, "gzip: answers above 1,000 bytes are compressed.");
export const TRACK_ID = header(
  "Zuora-Track-Id",
  { type: "string", maxLength: 64, pattern: "^[ !#-&(-9<-~]*$" },
  "Your own name for the call, US-ASCII without : ; \" '; echoed in the answer.",
  "invoice-run-42",
);
export const ENTITY_IDS = header(
  "Zuora-Entity-Ids",
  TEXT,
  "Entity ids, comma separated, as far as the key may use them.",
);
export const ORG_IDS = header("Zuora-Org-Ids", TEXT, "Org ids, comma separated, as far as the key may use them.");
export const PLATFORM_ID = header("x-platform-id", TEXT, "The platform; a key with a list must cover it.");
export const IDEMPOTENCY_KEY = header(
  "Idempotency-Key",
  { type: "string", minLength: 1, maxLength: 255 },
  "Gives each event that has no id of its own the identity KEY#INDEX, so that a repeat is a duplicate.",
  "upload-2026-11-01",
);
export const PRODUCER = header(
  "Weir-Producer",
  { type: "string", pattern: PRODUCER_PATTERN.source },
  "The name of a sender that numbers its events; only with Weir-Sequence.",
  "plant-7",
);
export const SEQUENCE = header(
  "Weir-Sequence",
  { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
  "The position of the body's first event; event i has this plus i. Only with Weir-Producer.",
  1,
);
export const PREFER = header(
  "Prefer",
  TEXT,
  "handling=lenient: valid events are stored, invalid ones quarantined. return=representation: a result an event.",
  "handling=lenient, return=representation",
);
export const IF_MATCH = header(
  "If-Match",
  TEXT,
  "The ETag of what is to be replaced, or several; * for whatever is there. Without it 428.",
  "*",
);
export const IF_NONE_MATCH = header(
  "If-None-Match",
  TEXT,
  "The ETag of the schemas you have: 304 where they still stand.",
);

/** What every operation that ingests reads, beside what each route does. */
export const INGEST_HEADERS: readonly JsonSchema[] = [
  ACCEPT_ENCODING,
  TRACK_ID,
  ENTITY_IDS,
  ORG_IDS,
  IDEMPOTENCY_KEY,
  PRODUCER,
  SEQUENCE,
];
