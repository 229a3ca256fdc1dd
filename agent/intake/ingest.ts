/**
 * The one way in: `ingest(dialect, request)` reads a request's body, checks its events by the rules that are known here
 * and appends them to the log. What it comes to is an outcome; the dialect words the answer, the same as the edge's.
 * Accepted means on disk.
 *
 * Refusals come in the edge's order: unknown stream, content type and coding, size, headers, what is no JSON, events
 * that are not valid.
 */
import { type ValidationError, validationError } from "../../shared/events/validation-error.ts";
import {
  type Answerable,
  type BodyOutcome,
  type Reason,
  refused,
  type StreamRules,
} from "../../shared/intake/dialect.ts";
import type { BodyCoding } from "../../shared/intake/headers.ts";
import { bodyTypeOf, type HeaderOf, type IngestHeaders, ingestHeadersOf } from "../../shared/intake/request.ts";
import { type BodyForm, type BodyLimits, HEADER } from "../../shared/wire.ts";
import type { Log } from "../buffer/log.ts";
import { packEvents } from "../buffer/tables/event-run.ts";
import type { AppendInput, AppendOutcome } from "../buffer/transactions/append.ts";
import type { Clock } from "../runtime/clock.ts";
import type { AgentDialect } from "./agent-dialect.ts";
import type { BodyRead } from "./body.ts";
import { faultyOf, type KeptEvent, keepBy, keyedBody } from "./kept-event.ts";
import { acceptedOf, conflictsOf } from "./outcome.ts";
import { scopeOf } from "./scope.ts";

export interface IngestRequest {
  readonly header: HeaderOf;
  body(coding: BodyCoding): Promise<BodyRead>;
}

/** "gone": the client has left, and nothing was accepted. */
export type IngestOutcome<R> = Answerable<R> | { readonly kind: "gone" };

export type Ingest = <R extends Reason>(dialect: AgentDialect<R>, request: IngestRequest) => Promise<IngestOutcome<R>>;

export interface IngestHost {
  readonly log: Log;
  readonly clock: Clock;
  readonly limits: BodyLimits;
}

export function createIngest(host: IngestHost): Ingest {
  return async function ingest(dialect, request) {
    // A stream that is not known may have been added a moment ago.
    if (dialect.rules() === null) await dialect.freshen();
    if (dialect.rules() === null) return refused("unknown-stream", dialect.unknown);
    const type = bodyTypeOf(request.header, dialect.forms);
    if (type.kind === "refused") return type;
    const read = await request.body(type.coding);
    if (read.kind === "gone") return read;
    if (read.kind === "too-large") {
      return refused("too-large", `the body has more than ${host.limits.bodyBytesMax} bytes`);
    }
    if (read.kind === "bad-gzip") return refused("broken-body", read.message);
    const headers = ingestHeadersOf(request.header, dialect);
    const body = await readByLatest(dialect, { bytes: read.bytes, form: type.form, headers, limits: host.limits });
    if (body === null) return refused("unknown-stream", dialect.unknown);
    if (body.kind === "too-large") return refused("too-large", body.message);
    const errors = [...headers.errors, ...positionErrors(request.header)];
    if (errors.length > 0) return { kind: "bad-headers", message: "a header is not valid", errors };
    if (body.kind === "malformed") return body;
    return append(dialect, request.header, headers, body.events, host);
  };
}

interface ReadRequest {
  readonly bytes: Uint8Array;
  readonly form: BodyForm;
  readonly headers: IngestHeaders;
  readonly limits: BodyLimits;
}

/** Checks again by newer rules before an event is called invalid; null where the stream is gone by then. */
async function readByLatest<R extends Reason>(
  dialect: AgentDialect<R>,
  { bytes, form, headers, limits }: ReadRequest,
): Promise<BodyOutcome<KeptEvent<R>, R> | null> {
  const bounds = { ...limits, eventsMax: Math.min(limits.eventsMax, dialect.eventsMax()) };
  const readBy = (rules: StreamRules<R>) => {
    const keep = keepBy<R>(rules.ownIdField, dialect.readOnly, headers.idempotencyKey !== null);
    return dialect.read(bytes, form, rules.check, bounds, keep);
  };
  const before = dialect.rules();
  const body = before === null ? null : readBy(before);
  if (body?.kind !== "events" || body.events.every((event) => event.errors.length === 0)) return body;
  await dialect.freshen();
  const current = dialect.rules();
  if (current === null) return null;
  return current === before ? body : readBy(current);
}

function positionErrors(header: HeaderOf): ValidationError[] {
  return [HEADER.producer, HEADER.sequence]
    .filter((name) => header(name) !== null)
    .map((field) => validationError(`${field} is the agent's own to set: it numbers events itself`, { field }));
}

async function append<R extends Reason>(
  dialect: AgentDialect<R>,
  header: HeaderOf,
  { preferences, idempotencyKey }: IngestHeaders,
  events: readonly KeptEvent<R>[],
  { log, clock }: IngestHost,
): Promise<Answerable<R>> {
  const errors = events.flatMap((event) => event.errors);
  const total = events.length;
  // Without a key nothing in the log bears on a strict rejection.
  if (!preferences.lenient && errors.length > 0 && idempotencyKey === null) {
    return { kind: "rejected", errors, conflicts: [], total };
  }
  const operation: AppendInput = {
    stream: dialect.stream,
    scope: scopeOf(header),
    receivedAt: clock.now(),
    events: packEvents(events.map((event) => event.source)),
    faulty: faultyOf(dialect, events),
    idempotency: idempotencyKey === null ? null : keyedBody(idempotencyKey, events),
    strict: !preferences.lenient,
  };
  const outcome: AppendOutcome = await log.append(operation);
  switch (outcome.kind) {
    case "full":
      return outcome.bound === "buffer"
        ? refused("buffer-full", "the buffer is full (buffer.max_bytes)")
        : refused("disk-full", "the disk is full");
    case "refused":
      return { kind: "rejected", errors, conflicts: conflictsOf(dialect, outcome.known), total };
    case "durable":
      return acceptedOf(dialect, events, outcome, { preferences, producer: log.producer, ...operation });
  }
}
