/**
 * Takes Solvimon's events in, single and in lists: the edge's answers, given by the agent. 2xx means on disk.
 * Refusals come in the edge's order: the version, then 415, 413, 400 (401, 429 and 404 were before), each in
 * Solvimon's shape.
 */
import { READ_ONLY, referenceOf, type SolvimonKind } from "../../shared/events/solvimon-fields.ts";
import { CONFLICT_CODE, type ValidationError, validationError } from "../../shared/events/validation-error.ts";
import { contentHash, eventId, type Identity } from "../../shared/identity.ts";
import {
  type BodyCoding,
  bodyCodingOf,
  bodyFormOf,
  idempotencyKeyError,
  preferencesOf,
} from "../../shared/intake/headers.ts";
import {
  quarantineError,
  resourceText,
  type SolvimonReason,
  solvimonError,
  solvimonErrors,
} from "../../shared/intake/solvimon-answer.ts";
import {
  type SolvimonEvent as ReadEvent,
  readSolvimonEvent,
  readSolvimonList,
} from "../../shared/intake/solvimon-body.ts";
import { type EventResult, usageAnswer } from "../../shared/intake/usage-answer.ts";
import { type BodyLimits, HEADER, SOLVIMON_VERSION } from "../../shared/wire.ts";
import type { Log } from "../buffer/log.ts";
import { packEvents } from "../buffer/tables/event-run.ts";
import type { KnownEvent } from "../buffer/tables/keys.ts";
import type { AppendInput, AppendOutcome } from "../buffer/transactions/append.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Answer } from "./answer.ts";
import type { BodyRead } from "./body.ts";
import { refuseSolvimon } from "./refusal.ts";
import { scopeOf } from "./scope.ts";
import type { SolvimonIngestRoute } from "./solvimon-route.ts";
import { FULL_RETRY_S, preferencesApplied, reasonOf } from "./usage-door.ts";

export interface SolvimonRequest extends SolvimonIngestRoute {
  /** A header by its lower-case name; null where there is none. */
  header(name: string): string | null;
  body(coding: BodyCoding): Promise<BodyRead>;
}

export interface SolvimonDoorOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly limits: BodyLimits;
  /** A list's events, where fewer than the limits allow: what one call upstream may carry. */
  readonly listEventsMax?: () => number;
}

/** Handles one request; null when the client has gone and nothing was taken. */
export type SolvimonDoor = (request: SolvimonRequest) => Promise<Answer | null>;

/** What is kept of an event while its request is answered. */
interface TakenEvent {
  readonly source: string;
  readonly ownId: string | null;
  /** Of its content; null where no key asks for it. */
  readonly hash: Uint8Array | null;
  readonly faults: readonly SolvimonReason[];
}

export function createSolvimonDoor(options: SolvimonDoorOptions): SolvimonDoor {
  const { limits, listEventsMax = () => limits.eventsMax } = options;
  return async function takeSolvimon(request) {
    if (request.version !== SOLVIMON_VERSION) return refuseVersion(request.version);
    if (bodyFormOf(request.header(HEADER.contentType)) !== "json") return refuseSolvimon(415, "send application/json");
    const coding = bodyCodingOf(request.header(HEADER.contentEncoding));
    if (coding === null) return refuseSolvimon(415, "send Content-Encoding gzip, or none");
    const read = await request.body(coding);
    if (read.kind === "gone") return null;
    if (read.kind === "too-large") return refuseSolvimon(413, `the body has more than ${limits.bodyBytesMax} bytes`);
    const readEvents = request.form === "single" ? readSolvimonEvent : readSolvimonList;
    const key = request.header(HEADER.idempotencyKey);
    const take = (event: ReadEvent) => keptOf(event, request.stream, key !== null);
    const bounds = { ...limits, eventsMax: Math.min(limits.eventsMax, listEventsMax()) };
    const body = read.kind === "bytes" ? readEvents(read.bytes, request.stream, bounds, take) : null;
    if (body?.kind === "too-large") return refuseSolvimon(413, body.message);
    const [first, ...others] = headerFaultsOf(request);
    if (first !== undefined) return { status: 400, body: solvimonErrors([first, ...others]) };
    if (read.kind === "bad-gzip") return refuseSolvimon(400, read.message);
    if (body?.kind === "malformed")
      return { status: 400, body: solvimonErrors([inForm(body.reason, request.form === "single")]) };
    return body === null ? null : takeEvents(request, body.events, key, options);
  };
}

function refuseVersion(version: string): Answer {
  const message = `version ${JSON.stringify(version.slice(0, 20))} is not supported; use ${SOLVIMON_VERSION}`;
  return { status: 400, body: solvimonError("UNSUPPORTED_VERSION", message) };
}

function keptOf({ source, value, faults }: ReadEvent, kind: SolvimonKind, isKeyed: boolean): TakenEvent {
  const hash = isKeyed ? contentHash(value, READ_ONLY[kind]) : null;
  return { source, ownId: referenceOf(value), hash, faults };
}

function headerFaultsOf({ header }: SolvimonRequest): SolvimonReason[] {
  const faults = [
    idempotencyKeyError(header(HEADER.idempotencyKey)),
    ...[HEADER.producer, HEADER.sequence].map((name) =>
      header(name) === null
        ? null
        : validationError(`${name} is the agent's own to set: it numbers events itself`, { field: name }),
    ),
  ];
  return faults.flatMap((fault) => {
    if (fault === null) return [];
    const { message, field } = fault;
    return [{ code: "INVALID_FIELD", message, ...(field === undefined ? {} : { field }) }];
  });
}

async function takeEvents(
  request: SolvimonRequest,
  events: readonly TakenEvent[],
  key: string | null,
  { log, clock }: SolvimonDoorOptions,
): Promise<Answer> {
  const isSingle = request.form === "single";
  const preferences = preferencesOf(request.header(HEADER.prefer));
  const strict = isSingle || !preferences.lenient;
  const [fault, ...faults] = events.flatMap((event) => event.faults).map((reason) => inForm(reason, isSingle));
  if (strict && fault !== undefined) return { status: 400, body: solvimonErrors([fault, ...faults]) };
  const receivedAt = clock.now();
  const outcome = await log.append({
    stream: request.stream,
    scope: scopeOf(request.header),
    receivedAt,
    events: packEvents(events.map((event) => event.source)),
    faulty: faultyOf(events),
    idempotency: key === null ? null : keyedBody(key, events),
    strict,
  });
  if (outcome.kind === "full") return refuseFull(outcome.bound);
  if (outcome.kind === "refused") return refuseConflicts(outcome.known, isSingle);
  const results = resultsOf(request.stream, events, outcome, log.producer, isSingle || preferences.representation);
  if (!isSingle) {
    const headers = preferencesApplied(preferences);
    return { status: 200, headers, body: usageAnswer(results, preferences.representation) };
  }
  const [event, result, known] = [events[0], results[0], outcome.known[0]];
  if (event === undefined || result === undefined) throw new RangeError("a body of one event holds none");
  return {
    status: 201,
    headers: known === undefined ? {} : { "idempotent-replayed": "true" },
    body: resourceText(request.stream, result.id, event.source, isoTime(known?.receivedAt ?? receivedAt)),
  };
}

/** A single event's reasons have no index to name. */
function inForm({ code, message, field, index }: SolvimonReason, isSingle: boolean): SolvimonReason {
  return {
    code,
    message,
    ...(field === undefined ? {} : { field }),
    ...(isSingle || index === undefined ? {} : { index }),
  };
}

/** A time as a timestamp is filled in with. */
function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

function faultyOf(events: readonly TakenEvent[]): AppendInput["faulty"] {
  return events.flatMap(({ faults: [fault] }, index) =>
    fault === undefined ? [] : [{ index, reason: reasonOf(quarantineError(fault, index)) }],
  );
}

const HASH_BYTES = 16;

function keyedBody(key: string, events: readonly TakenEvent[]): AppendInput["idempotency"] {
  const hashes = new Uint8Array(events.length * HASH_BYTES);
  const ownIds = new Uint8Array(events.length);
  for (const [index, { hash, ownId }] of events.entries()) {
    if (hash !== null) hashes.set(hash.subarray(0, HASH_BYTES), index * HASH_BYTES);
    ownIds[index] = ownId === null ? 0 : 1;
  }
  return { key, hashes, ownIds };
}

const CONFLICT = "the Idempotency-Key was used before with another body";

function refuseFull(bound: "buffer" | "disk"): Answer {
  const refusal =
    bound === "buffer"
      ? refuseSolvimon(429, "the buffer is full (buffer.max_bytes)")
      : refuseSolvimon(507, "the disk is full");
  return { ...refusal, headers: { [HEADER.retryAfter]: String(FULL_RETRY_S) } };
}

function refuseConflicts(known: readonly KnownEvent[], isSingle: boolean): Answer {
  const [first, ...others] = known.filter((event) => !event.same).map(({ index }) => conflictReason(index));
  if (first === undefined) throw new RangeError("the log refused events that do not conflict");
  return {
    status: 409,
    body: solvimonErrors([inForm(first, isSingle), ...others]),
  };
}

function conflictReason(index: number): SolvimonReason {
  return { code: "IDEMPOTENCY_CHECK_FAILED", message: CONFLICT, index };
}

function resultsOf(
  kind: SolvimonKind,
  events: readonly TakenEvent[],
  outcome: AppendOutcome & { kind: "durable" },
  producer: string,
  shown: boolean,
): EventResult[] {
  const known = new Map(outcome.known.map((event) => [event.index, event]));
  let next = outcome.firstPosition;
  return events.map(({ ownId, faults }, index) => {
    const before = known.get(index);
    const position = before?.position ?? next++;
    const identity: Identity = ownId === null ? { by: "position", producer, position } : { by: "id", id: ownId };
    // Hashing is the dearest part of an answer, and most callers never see the ids.
    const id = shown ? eventId(kind, kind, identity) : "";
    if (before?.same === true) return { index, status: "duplicate", id };
    if (before !== undefined) return { index, status: "conflict", id, reasons: [conflictError(index)] };
    if (faults.length === 0) return { index, status: "accepted", id };
    return { index, status: "quarantined", id, reasons: faults.map((fault) => quarantineError(fault, index)) };
  });
}

function conflictError(index: number): ValidationError {
  return { ...quarantineError(conflictReason(index), index), code: CONFLICT_CODE };
}
