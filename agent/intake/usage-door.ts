/**
 * Takes usage events in: the edge's answers, given by the agent. 2xx means on disk.
 * Refusals come in the edge's order: 404, 415, 413, 400 (401, 403 and 429 were before).
 */
import { usageStream } from "../../shared/events/kind.ts";
import { CONFLICT_CODE, type ValidationError, validationError } from "../../shared/events/validation-error.ts";
import { contentHash, eventId, ownIdOf } from "../../shared/identity.ts";
import {
  type BodyCoding,
  bodyCodingOf,
  bodyFormOf,
  idempotencyKeyError,
  type Preferences,
  preferencesOf,
  trackIdError,
} from "../../shared/intake/headers.ts";
import { type EventResult, usageAnswer, usageRefusal, validationRefusal } from "../../shared/intake/usage-answer.ts";
import { type CheckedEvent, readUsageBody } from "../../shared/intake/usage-body.ts";
import { type BodyLimits, HEADER } from "../../shared/wire.ts";
import type { Log } from "../buffer/log.ts";
import { packEvents } from "../buffer/tables/event-run.ts";
import type { KnownEvent } from "../buffer/tables/keys.ts";
import type { QuarantineReason } from "../buffer/tables/quarantine.ts";
import type { AppendInput, AppendOutcome } from "../buffer/transactions/append.ts";
import type { Clock } from "../runtime/clock.ts";
import type { BodyRead } from "./body.ts";
import type { KnownMeter, Schemas } from "./schemas.ts";
import { scopeOf } from "./scope.ts";

export interface UsageRequest {
  readonly meterGlobalId: string;
  /** A header by its lower-case name; null where there is none. */
  header(name: string): string | null;
  body(coding: BodyCoding): Promise<BodyRead>;
}

export interface DoorAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: object;
}

export interface UsageDoorOptions {
  readonly log: Log;
  readonly schemas: Schemas;
  readonly clock: Clock;
  readonly limits: BodyLimits;
  /** Looks whether the edge has newer schemas, before anything is refused or held back for what they say. */
  readonly freshen: () => Promise<void>;
}

/** Handles one request; null when the client has gone and nothing was taken. */
export type UsageDoor = (request: UsageRequest) => Promise<DoorAnswer | null>;

export function createUsageDoor(options: UsageDoorOptions): UsageDoor {
  return async function takeUsage(request) {
    let meter = await findMeter(request.meterGlobalId, options);
    if (meter === null) return refuse(404, noMeter(request.meterGlobalId));
    const form = bodyFormOf(request.header(HEADER.contentType));
    if (form === null) return refuse(415, "send application/json or application/x-ndjson");
    const coding = bodyCodingOf(request.header(HEADER.contentEncoding));
    if (coding === null) return refuse(415, "send Content-Encoding gzip, or none");

    const read = await request.body(coding);
    if (read.kind === "gone") return null;
    if (read.kind === "too-large") return refuse(413, `the body has more than ${options.limits.bodyBytesMax} bytes`);
    if (read.kind === "bad-gzip") return refuse(400, read.message);
    let body = readUsageBody(read.bytes, form, meter.check, options.limits);
    if (body.kind === "events" && body.faulty > 0) {
      await options.freshen();
      const current = options.schemas.meter(request.meterGlobalId);
      if (current === null) return refuse(404, noMeter(request.meterGlobalId));
      if (current !== meter) body = readUsageBody(read.bytes, form, current.check, options.limits);
      meter = current;
    }
    if (body.kind === "too-large") return refuse(413, body.message);
    const headerFaults = headerFaultsOf(request);
    if (headerFaults.length > 0) return refuse(400, "a header is not valid", headerFaults);
    if (body.kind === "malformed") return refuse(400, body.fault.message, [body.fault]);
    const preferences = preferencesOf(request.header(HEADER.prefer));
    return takeEvents(request, meter, body.events, preferences, options);
  };
}

/** A meter that is not known may have been added a moment ago. */
async function findMeter(id: string, { schemas, freshen }: UsageDoorOptions): Promise<KnownMeter | null> {
  const known = schemas.meter(id);
  if (known !== null) return known;
  await freshen();
  return schemas.meter(id);
}

async function takeEvents(
  request: UsageRequest,
  meter: KnownMeter,
  events: readonly CheckedEvent[],
  preferences: Preferences,
  { log, clock }: UsageDoorOptions,
): Promise<DoorAnswer> {
  const key = request.header(HEADER.idempotencyKey);
  const faults = events.flatMap((event) => event.faults);
  // Without a key nothing in the log bears on a strict refusal.
  if (!preferences.lenient && faults.length > 0 && key === null)
    return { status: 400, body: validationRefusal(faults, events.length) };
  const operation: Omit<AppendInput, "kind"> = {
    stream: usageStream(request.meterGlobalId),
    scope: scopeOf(request.header),
    receivedAt: clock.now(),
    events: packEvents(events.map((event) => event.source)),
    faulty: faultyOf(events),
    idempotency: key === null ? null : keyedBody(key, events, meter),
    strict: !preferences.lenient,
  };
  const outcome = await log.append(operation);
  switch (outcome.kind) {
    case "full":
      return refuseFull(outcome.bound);
    case "refused": {
      const all = [...faults, ...outcome.known.filter((known) => !known.same).map(conflictOf)];
      all.sort((a, b) => (a.index ?? 0) - (b.index ?? 0));
      return { status: 400, body: validationRefusal(all, events.length) };
    }
    case "durable": {
      const results = resultsOf(events, outcome, meter, log.producer, operation.stream, preferences.representation);
      const headers = preferencesApplied(preferences);
      return { status: 200, headers, body: usageAnswer(results, preferences.representation) };
    }
  }
}

function noMeter(id: string): string {
  return `there is no meter ${JSON.stringify(id)}`;
}

function refuse(status: number, message: string, reasons: readonly ValidationError[] = []): DoorAnswer {
  return { status, body: usageRefusal(message, reasons) };
}

/** Seconds after which a full buffer may have room again; uploads make room as they go. */
export const FULL_RETRY_S = 5;

function refuseFull(bound: "buffer" | "disk"): DoorAnswer {
  const retry = { [HEADER.retryAfter]: String(FULL_RETRY_S) };
  if (bound === "buffer") return { ...refuse(429, "the buffer is full (buffer.max_bytes)"), headers: retry };
  return { ...refuse(507, "the disk is full"), headers: retry };
}

function headerFaultsOf(request: UsageRequest): ValidationError[] {
  const faults = [
    trackIdError(request.header(HEADER.trackId)),
    idempotencyKeyError(request.header(HEADER.idempotencyKey)),
    ...[HEADER.producer, HEADER.sequence].map((name) =>
      request.header(name) === null
        ? null
        : validationError(`${name} is the agent's own to set: it numbers events itself`, { field: name }),
    ),
  ];
  return faults.filter((fault) => fault !== null);
}

function faultyOf(events: readonly CheckedEvent[]): AppendInput["faulty"] {
  return events.flatMap(({ faults }, index) => {
    const [fault] = faults;
    return fault === undefined ? [] : [{ index, reason: reasonOf(fault) }];
  });
}

/** Why the agent itself holds an event back, in the words its sender got. */
export function reasonOf(fault: ValidationError): QuarantineReason {
  return { status: 400, ...fault };
}

const HASH_BYTES = 16;

function keyedBody(key: string, events: readonly CheckedEvent[], meter: KnownMeter): AppendInput["idempotency"] {
  const hashes = new Uint8Array(events.length * HASH_BYTES);
  const ownIds = new Uint8Array(events.length);
  for (const [index, { value }] of events.entries()) {
    hashes.set(contentHash(value).subarray(0, HASH_BYTES), index * HASH_BYTES);
    ownIds[index] = ownIdIn(value, meter) === null ? 0 : 1;
  }
  return { key, hashes, ownIds };
}

function ownIdIn(value: CheckedEvent["value"], meter: KnownMeter): string | null {
  return meter.eventIdField === null ? null : ownIdOf(value.get(meter.eventIdField));
}

function conflictOf({ index }: KnownEvent): ValidationError {
  return { code: CONFLICT_CODE, message: "the Idempotency-Key brought other content for this event before", index };
}

function resultsOf(
  events: readonly CheckedEvent[],
  outcome: AppendOutcome & { kind: "durable" },
  meter: KnownMeter,
  producer: string,
  stream: string,
  shown: boolean,
): EventResult[] {
  const known = new Map(outcome.known.map((event) => [event.index, event]));
  let next = outcome.firstPosition;
  return events.map(({ value, faults }, index) => {
    const before = known.get(index);
    const position = before?.position ?? next++;
    const own = ownIdIn(value, meter);
    const identity =
      own === null ? ({ by: "position", producer, position } as const) : ({ by: "id", id: own } as const);
    // Hashing is the dearest part of an answer, and most callers never see the ids.
    const id = shown ? eventId("usage", stream, identity) : "";
    if (before?.same === true) return { index, status: "duplicate", id };
    if (before !== undefined) return { index, status: "conflict", id, reasons: [conflictOf(before)] };
    if (faults.length > 0) return { index, status: "quarantined", id, reasons: faults };
    return { index, status: "accepted", id };
  });
}

/** The header that tells which of the caller's preferences were followed. */
export function preferencesApplied({ lenient, representation }: Preferences): Record<string, string> {
  const applied = [lenient ? "handling=lenient" : null, representation ? "return=representation" : null];
  const text = applied.filter((preference) => preference !== null).join(", ");
  return text === "" ? {} : { [HEADER.preferenceApplied]: text };
}
