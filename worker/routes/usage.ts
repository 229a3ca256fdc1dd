/** The usage doors: Zuora's streaming ingestion in its two spellings. */
import type { Hono } from "hono";
import { usageStream } from "../../shared/events/kind.ts";
import { CONFLICT_CODE, type ValidationError, validationError } from "../../shared/events/validation-error.ts";
import {
  idempotencyKeyError,
  type ProducerPosition,
  preferencesOf,
  producerPositionOf,
  trackIdError,
} from "../../shared/intake/headers.ts";
import {
  type EventResult,
  type EventStatus,
  usageAnswer,
  validationRefusal,
} from "../../shared/intake/usage-answer.ts";
import { type CheckedEvent, readUsageBody } from "../../shared/intake/usage-body.ts";
import { scanDocument } from "../../shared/json/document.ts";
import { type BodyForm, HEADER, POSITION_MAX, USAGE_PATHS } from "../../shared/wire.ts";
import type { LoadedCatalog, StreamEntry } from "../catalog/catalogs.ts";
import { refuse, type WeirContext, type WeirEnv } from "../context.ts";
import { untilCatalogStands } from "../intake/filing-rounds.ts";
import { type DigestedEvent, digestEvent, identify } from "../intake/identify.ts";
import { contextOf } from "../intake/scope.ts";
import type { Fate, IncomingEvent } from "../ledger/plan.ts";
import { requirePermission } from "../middleware/authenticate.ts";
import { rateLimit } from "../middleware/rate-limit.ts";
import { measureOfUsage } from "../usage/measure.ts";
import { withBody } from "./body.ts";

export function registerUsage(app: Hono<WeirEnv>): void {
  for (const path of USAGE_PATHS) app.post(path, requirePermission("METER_DATA.INGEST"), rateLimit, ingestUsage);
}

async function ingestUsage(c: WeirContext): Promise<Response> {
  const meterGlobalId = c.req.param("meterGlobalId") ?? "";
  const found = await findStream(c, meterGlobalId);
  if (found === null) return refuse(c, 404, `there is no meter ${JSON.stringify(meterGlobalId)}`);
  const bounds = { forms: ["json", "ndjson"], bytesMax: c.get("services").settings.limits.bodyBytesMax } as const;
  return withBody(c, bounds, (bytes, form) => ingestBody(c, meterGlobalId, found, bytes, form));
}

async function ingestBody(
  c: WeirContext,
  meterGlobalId: string,
  found: FoundStream,
  bytes: Uint8Array,
  form: BodyForm,
): Promise<Response> {
  const { catalogs, clock, settings } = c.get("services");
  const body = readUsageBody(bytes, form, found.stream.check, settings.limits, (event) => digest(event, found.stream));
  if (body.kind === "too-large") return refuse(c, 413, body.message);
  const headers = readHeaders(c);
  if (headers.faults.length > 0) return refuse(c, 400, "a header is not valid", headers.faults);
  if (body.kind === "malformed") return refuse(c, 400, body.fault.message, [body.fault]);
  if (headers.position !== null && headers.position.first + body.events.length - 1 > POSITION_MAX) {
    return refuse(c, 400, "the positions run past 2^53-1", [
      validationError("Weir-Sequence and the number of events run past 2^53-1", { field: "Weir-Sequence" }),
    ]);
  }
  const answer = await untilCatalogStands(
    found.catalog,
    () => catalogs.load(c.get("principal").tenant, clock.now(), true),
    async (catalog) => {
      const stream = catalog.streams.get(meterGlobalId);
      if (stream === undefined) return refuse(c, 404, `there is no meter ${JSON.stringify(meterGlobalId)}`);
      const events = stream === found.stream ? body.events : recheck(body.events, stream);
      return fileUsage(c, { catalog, stream, meterGlobalId, events, headers });
    },
  );
  if (answer !== null) return answer;
  c.header("Retry-After", "1");
  return refuse(c, 503, "the catalog keeps changing; try again");
}

/** Reads each event again from its source, since only that was kept of it. */
function recheck(events: readonly DigestedEvent[], stream: StreamEntry): DigestedEvent[] {
  return events.map(({ source }, index) => {
    const scanned = scanDocument(source);
    if (scanned.kind === "invalid" || !(scanned.value instanceof Map)) throw new Error("a checked event is no object");
    const faults = stream.check(scanned.value).map((fault) => ({ ...fault, index }));
    return digest({ source, value: scanned.value, faults }, stream);
  });
}

function digest(event: CheckedEvent, stream: StreamEntry): DigestedEvent {
  const measure = event.faults.length === 0 ? measureOfUsage(event.value, stream.schema) : null;
  return { ...digestEvent(event, ownIdFieldOf(stream)), measure };
}

function ownIdFieldOf(stream: StreamEntry): string | null {
  return stream.schema.event_id_field ?? null;
}

interface FoundStream {
  readonly catalog: LoadedCatalog;
  readonly stream: StreamEntry;
}

/** An unknown meter is looked up afresh before it is called unknown: it may have been added a second ago. */
async function findStream(c: WeirContext, meterGlobalId: string): Promise<FoundStream | null> {
  const { catalogs, clock } = c.get("services");
  for (const fresh of [false, true]) {
    const catalog = await catalogs.load(c.get("principal").tenant, clock.now(), fresh);
    const stream = catalog.streams.get(meterGlobalId);
    if (stream !== undefined) return { catalog, stream };
  }
  return null;
}

interface UsageHeaders {
  readonly faults: readonly ValidationError[];
  readonly lenient: boolean;
  readonly representation: boolean;
  readonly idempotencyKey: string | null;
  readonly position: ProducerPosition | null;
  readonly context: string;
}

function readHeaders(c: WeirContext): UsageHeaders {
  const header = (name: string) => c.req.header(name) ?? null;
  const producer = producerPositionOf(header(HEADER.producer), header(HEADER.sequence));
  const scope = contextOf(c.get("principal"), header(HEADER.entityIds), header(HEADER.orgIds));
  const faults = [
    trackIdError(header(HEADER.trackId)),
    idempotencyKeyError(header(HEADER.idempotencyKey)),
    producer.kind === "invalid" ? producer.error : null,
    ...scope.faults,
  ].filter((fault) => fault !== null);
  return {
    faults,
    ...preferencesOf(header(HEADER.prefer)),
    idempotencyKey: header(HEADER.idempotencyKey),
    position: producer.kind === "position" ? producer.position : null,
    context: scope.context,
  };
}

interface UsageRequest extends FoundStream {
  readonly meterGlobalId: string;
  readonly events: readonly DigestedEvent[];
  readonly headers: UsageHeaders;
}

async function fileUsage(c: WeirContext, request: UsageRequest): Promise<Response | "catalog-changed"> {
  const { services, principal } = { services: c.get("services"), principal: c.get("principal") };
  const { catalog, stream, events, headers } = request;
  const name = usageStream(request.meterGlobalId);
  const faults = events.flatMap((event) => event.faults);
  if (!headers.lenient && faults.length > 0) {
    const latest = await services.catalogs.load(principal.tenant, services.clock.now(), true);
    if (latest.version !== catalog.version) return "catalog-changed";
    return c.json(validationRefusal(faults, events.length), 400);
  }
  const incoming = identify(events, {
    tenant: principal.tenant,
    kind: "usage",
    stream: name,
    idempotencyKey: headers.idempotencyKey,
    position: headers.position,
  });
  const outcome = await services.ledger.file({
    tenant: principal.tenant,
    stream: name,
    producer: headers.position?.producer ?? null,
    context: headers.context,
    idempotencyKey: headers.idempotencyKey,
    ownIdField: ownIdFieldOf(stream),
    receivedAt: services.clock.now(),
    events: incoming,
    lenient: headers.lenient,
    apiKeyId: principal.keyId,
    catalogVersion: catalog.version,
  });
  if (outcome.kind === "catalog-changed") return "catalog-changed";
  if (outcome.kind === "key-ended") return refuse(c, 401, "the credentials are unknown, revoked or expired");
  if (outcome.kind === "conflicts") {
    const conflicts = incoming
      .filter((_, i) => outcome.fates[i] === "conflict")
      .map((event) => conflictError(event.index, event));
    return refuse(c, 400, `${conflicts.length} events conflict with ones taken before; nothing was stored`, conflicts);
  }
  if (outcome.fates.includes("accepted")) c.executionCtx.waitUntil(services.nudge(principal.tenant, name));
  const results = incoming.map((event, i) => resultOf(event, statusOf(outcome.fates[i])));
  if (headers.lenient || headers.representation) {
    const applied = [headers.lenient ? "handling=lenient" : "", headers.representation ? "return=representation" : ""];
    c.header("Preference-Applied", applied.filter((name) => name !== "").join(", "));
  }
  return c.json(usageAnswer(results, headers.representation));
}

/** A usage stream has no reprocessing groups, so what is not filed there is a conflict. */
function statusOf(fate: Fate | undefined): EventStatus {
  return fate === undefined || fate === "closed" ? "conflict" : fate;
}

function resultOf(event: IncomingEvent, status: EventStatus): EventResult {
  const { index, id } = event;
  if (status === "quarantined") return { index, status, id, reasons: event.faults };
  if (status === "conflict") return { index, status, id, reasons: [conflictError(index, event)] };
  return { index, status, id };
}

function conflictError(index: number, event: IncomingEvent | undefined): ValidationError {
  const by = event?.key === null ? "its position" : "its identity";
  return { code: CONFLICT_CODE, message: `${by} was taken before by an event with other content`, index };
}
