/**
 * The one way in: `ingest(dialect, request)` reads a request's body, checks its events by the rules that are known here
 * and appends them to the log. What it comes to is an outcome; the dialect words the answer, the same as the edge's.
 * Accepted means on disk.
 *
 * Refusals come in the edge's order: unknown stream, content type and coding, size, headers, what is no JSON, events
 * that are not valid.
 */
import { type ValidationError, validationError } from "../../shared/events/validation-error.ts";
import type { SentIds } from "../../shared/identity.ts";
import {
  type Answerable,
  type BodyOutcome,
  type Conflicting,
  type Reason,
  type Refusal,
  refused,
  type StreamRules,
} from "../../shared/intake/dialect.ts";
import type { BodyCoding, Preferences } from "../../shared/intake/headers.ts";
import { bodyTypeOf, type HeaderOf, type IngestHeaders, ingestHeadersOf } from "../../shared/intake/request.ts";
import { sentIdsOf } from "../../shared/intake/sent-ids.ts";
import { textOf } from "../../shared/json/source.ts";
import { type BodyForm, type BodyLimits, HEADER } from "../../shared/wire.ts";
import type { Log } from "../buffer/log.ts";
import { freeBytes, packSpans } from "../buffer/tables/event-run.ts";
import { allKnown, knownIn } from "../buffer/tables/known-events.ts";
import type { AppendInput, AppendOutcome } from "../buffer/transactions/append.ts";
import type { Clock } from "../runtime/clock.ts";
import type { AgentDialect } from "./agent-dialect.ts";
import { bodyHash } from "./body-hash.ts";
import type { BodyRead } from "./body-read.ts";
import { EventKeeper, invalidOf, type KeptEvents, keyedBody, listedErrors } from "./kept-event.ts";
import { acceptedOf, conflictsOf } from "./outcome.ts";

export interface IngestRequest {
  readonly header: HeaderOf;
  body(coding: BodyCoding): Promise<BodyRead>;
  /** Waits until no other large body is worked on; false after too long. */
  turn(): Promise<boolean>;
  /** Counts what is made of the body: as much memory more. */
  charge(bytes: number): void;
  /** The body is on disk or refused: so much memory is free again, and others may work. */
  free(bytes: number): void;
}

/** What the requests of a program itself are held to. */
export const UNBOUNDED: Pick<IngestRequest, "turn" | "charge" | "free"> = {
  turn: () => Promise.resolve(true),
  charge: () => {},
  free: () => {},
};

/** "gone": the client has left, and nothing was accepted. */
export type IngestOutcome<R> = Answerable<R> | { readonly kind: "gone" };

export type Ingest = <R extends Reason>(dialect: AgentDialect<R>, request: IngestRequest) => Promise<IngestOutcome<R>>;

export interface IngestHost {
  readonly log: Log;
  readonly clock: Clock;
  readonly limits: BodyLimits;
  /** Whether a body that comes again, byte for byte, is a client's retry: not where nothing can be cut off on the way. */
  readonly knowsBodies: boolean;
  /** Is shown what every request came to. */
  readonly note?: <R extends Reason>(stream: string, outcome: Answerable<R>) => void;
}

export function createIngest(host: IngestHost): Ingest {
  return async function ingest(dialect, request) {
    const found = await take(dialect, request, host);
    if (found.kind !== "gone") host.note?.(dialect.stream, found);
    return found;
  };
}

// Few waits, and what can be done at once without one: a promise for each step would cost a small request a third of all.
async function take<R extends Reason>(
  dialect: AgentDialect<R>,
  request: IngestRequest,
  host: IngestHost,
): Promise<IngestOutcome<R>> {
  // A stream that is not known may have been added a moment ago.
  if (dialect.rules() === null) await dialect.freshen();
  if (dialect.rules() === null) return refused("unknown-stream", dialect.unknown);
  const type = bodyTypeOf(request.header, dialect.forms);
  if (type.kind === "refused") return type;
  const read = await request.body(type.coding);
  if (read.kind !== "bytes") return unread(read, host.limits);
  const preparing = prepare(dialect, request, { bytes: read.bytes, form: type.form }, host);
  const prepared = preparing instanceof Promise ? await preparing : preparing;
  if (prepared.kind !== "prepared") {
    freeBytes(read.bytes);
    return prepared;
  }
  const outcome = await host.log.append(prepared.input);
  request.free(prepared.bytes);
  return answerOf(dialect, prepared, outcome, host);
}

/** A request as the log takes it, and what its answer is made of; of the body's text nothing else is left by now. */
interface Prepared<R extends Reason> {
  readonly kind: "prepared";
  readonly preferences: Preferences;
  readonly events: KeptEvents<R>;
  readonly input: AppendInput;
  /** Of a body that is one event. */
  readonly source: string | null;
  /** Memory of the body and of what only the log needs, until it is written. */
  readonly bytes: number;
}

type Preparing<R extends Reason> = Prepared<R> | IngestOutcome<R>;

interface ReadBody {
  readonly bytes: Uint8Array;
  readonly form: BodyForm;
}

function prepare<R extends Reason>(
  dialect: AgentDialect<R>,
  request: IngestRequest,
  read: ReadBody,
  host: IngestHost,
): Preparing<R> | Promise<Preparing<R>> {
  // What is made of a large body may be more than itself: one is worked on at a time, until it is written.
  if (read.bytes.length > AT_ONCE_BYTES_MAX) return prepareInTurn(dialect, request, read, host);
  return prepareNow(dialect, request, read, host);
}

async function prepareInTurn<R extends Reason>(
  dialect: AgentDialect<R>,
  request: IngestRequest,
  read: ReadBody,
  host: IngestHost,
): Promise<Preparing<R>> {
  return (await request.turn()) ? prepareNow(dialect, request, read, host) : BUSY;
}

function prepareNow<R extends Reason>(
  dialect: AgentDialect<R>,
  request: IngestRequest,
  read: ReadBody,
  host: IngestHost,
): Preparing<R> | Promise<Preparing<R>> {
  const headers = ingestHeadersOf(request.header, dialect);
  const rules = dialect.rules();
  const found = rules === null ? null : readBy(rules, dialect, { ...read, headers, limits: host.limits });
  // Before anything is waited for: meanwhile other bodies are read.
  if (found !== null) request.charge(keptBytes(found.events));
  if (found?.body.kind === "events" && found.events.invalid > 0) {
    return prepareByLatest(dialect, request, { ...read, headers, limits: host.limits }, { rules, found, host });
  }
  return prepared(dialect, request, { ...read, headers, found }, host);
}

interface BeforeLatest<R extends Reason> {
  readonly rules: StreamRules<R> | null;
  readonly found: ReadEvents<R>;
  readonly host: IngestHost;
}

/** Checks again by newer rules before an event is called invalid; the stream may be gone by then. */
async function prepareByLatest<R extends Reason>(
  dialect: AgentDialect<R>,
  request: IngestRequest,
  read: ReadRequest,
  before: BeforeLatest<R>,
): Promise<Preparing<R>> {
  await dialect.freshen();
  const rules = dialect.rules();
  const isNew = rules !== null && rules !== before.rules;
  const found = isNew ? readBy(rules, dialect, read) : rules === null ? null : before.found;
  return prepared(dialect, request, { ...read, found }, before.host);
}

interface FoundRequest<R extends Reason> extends Pick<ReadRequest, "bytes" | "headers"> {
  /** Null where the stream is gone. */
  readonly found: ReadEvents<R> | null;
}

function prepared<R extends Reason>(
  dialect: AgentDialect<R>,
  { header }: IngestRequest,
  { bytes, headers, found }: FoundRequest<R>,
  host: IngestHost,
): Preparing<R> {
  if (found === null) return refused("unknown-stream", dialect.unknown);
  const { body, events, spans } = found;
  if (body.kind === "too-large") return refused("too-large", body.message);
  const sent = sentIdsOf(header);
  const errors = [...headers.errors, ...positionErrors(header), ...sent.errors];
  if (errors.length > 0) return { kind: "bad-headers", message: "a header is not valid", errors };
  if (body.kind === "malformed") return body;
  const { preferences, idempotencyKey } = headers;
  // Without a key nothing in the log bears on a strict rejection.
  if (!preferences.lenient && events.invalid > 0 && idempotencyKey === null) return rejection(events, []);
  const source = dialect.isSingle ? textOf(bytes, spans[0] ?? 0, spans[1] ?? 0) : null;
  const taken = bytes.length + 8 * events.count;
  const input = inputOf(dialect, { scope: sent.ids, bytes, headers, events, spans }, host);
  return { kind: "prepared", preferences, events, input, source, bytes: taken };
}

function rejection<R extends Reason>(events: KeptEvents<R>, conflicts: readonly Conflicting<R>[]): Answerable<R> {
  const { count: total, invalid } = events;
  return { kind: "rejected", errors: listedErrors(events), invalid, conflicts, total };
}

/** Up to here bodies are worked on side by side, and share a commit. */
const AT_ONCE_BYTES_MAX = 128 * 1024;
const BUSY = refused("busy", "too many requests at once");

/** What of a body's events is kept besides their text, in bytes, roughly. */
function keptBytes({ count, invalid, ownIds, hashes }: KeptEvents<Reason>): number {
  return 8 * count + 16 * invalid + 128 * ownIds.size + hashes.length;
}

/** Why there is no body. */
function unread(
  read: Exclude<BodyRead, { readonly kind: "bytes" }>,
  { bodyBytesMax }: BodyLimits,
): Refusal | { readonly kind: "gone" } {
  switch (read.kind) {
    case "gone":
      return read;
    case "busy":
      return BUSY;
    case "slow":
      return refused("slow", "the body came too slowly");
    case "too-large":
      return refused("too-large", `the body has more than ${bodyBytesMax} bytes`);
    case "bad-gzip":
      return refused("broken-body", read.message);
  }
}

interface ReadRequest extends ReadBody {
  readonly headers: IngestHeaders;
  readonly limits: BodyLimits;
}

interface ReadEvents<R extends Reason> {
  readonly body: BodyOutcome<void, R>;
  readonly events: KeptEvents<R>;
  /** Where each lies in the body: two offsets. */
  readonly spans: Uint32Array;
}

function readBy<R extends Reason>(
  rules: StreamRules<R>,
  dialect: AgentDialect<R>,
  { bytes, form, headers, limits }: ReadRequest,
): ReadEvents<R> {
  const keeper = new EventKeeper<R>(rules.ownIdField, dialect, headers.idempotencyKey !== null);
  const body = dialect.read(bytes, form, rules.check, limits, keeper.keep);
  return { body, events: keeper.kept(), spans: keeper.spans };
}

function positionErrors(header: HeaderOf): readonly ValidationError[] {
  if (header(HEADER.producer) === null && header(HEADER.sequence) === null) return NO_ERRORS;
  return [HEADER.producer, HEADER.sequence]
    .filter((name) => header(name) !== null)
    .map((field) => validationError(`${field} is the agent's own to set: it numbers events itself`, { field }));
}

const NO_ERRORS: readonly ValidationError[] = [];

interface CheckedRequest<R extends Reason> {
  readonly scope: SentIds;
  readonly bytes: Uint8Array;
  readonly headers: IngestHeaders;
  readonly events: KeptEvents<R>;
  readonly spans: Uint32Array;
}

function inputOf<R extends Reason>(
  dialect: AgentDialect<R>,
  { scope, bytes, headers: { preferences, idempotencyKey }, events, spans }: CheckedRequest<R>,
  { clock, knowsBodies }: IngestHost,
): AppendInput {
  const { stream } = dialect;
  const isKnownByBody =
    knowsBodies && idempotencyKey === null && dialect.rules()?.deduplicatesByContent === true && events.areRepeatable;
  // First, since the body is used up as its events are packed.
  const known = isKnownByBody ? bodyHash(stream, scope, bytes) : null;
  return {
    stream,
    scope,
    receivedAt: clock.now(),
    events: packSpans(bytes, spans),
    ...(events.invalid === 0 ? {} : { invalid: invalidOf(dialect, events) }),
    namesIndex: true,
    idempotency: idempotencyKey === null ? null : keyedBody(idempotencyKey, scope, events),
    ...(known === null ? {} : { bodyHash: known }),
    strict: !preferences.lenient,
  };
}

function answerOf<R extends Reason>(
  dialect: AgentDialect<R>,
  { preferences, events, input, source }: Prepared<R>,
  outcome: AppendOutcome,
  { log }: IngestHost,
): Answerable<R> {
  const { scope } = input;
  switch (outcome.kind) {
    case "full":
      return outcome.bound === "buffer"
        ? refused("buffer-full", "the buffer is full (buffer.max_bytes)")
        : refused("disk-full", "the disk is full");
    case "refused":
      return rejection(events, conflictsOf(dialect, knownIn(outcome.known)));
    case "repeated":
    case "durable": {
      const known =
        outcome.kind === "repeated"
          ? allKnown(events.count, outcome.firstPosition, outcome.receivedAt)
          : knownIn(outcome.known);
      const { firstPosition, receivedAt = input.receivedAt } = outcome;
      const appended = { preferences, producer: log.producer, receivedAt, scope, source, firstPosition, known };
      return acceptedOf(dialect, events, appended);
    }
  }
}
