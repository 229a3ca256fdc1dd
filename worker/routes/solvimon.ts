/** Solvimon's ingest doors: persist, charge, adjustment and meter data, single and in lists. */
import type { Hono } from "hono";
import { READ_ONLY, referenceOf, reprocessGroup, type SolvimonKind } from "../../shared/events/solvimon-fields.ts";
import { CONFLICT_CODE, type ValidationError } from "../../shared/events/validation-error.ts";
import { contentHash } from "../../shared/identity.ts";
import {
  idempotencyKeyError,
  type ProducerPosition,
  preferencesOf,
  producerPositionOf,
} from "../../shared/intake/headers.ts";
import {
  OBJECT_TYPE,
  quarantineError,
  resourceText,
  type SolvimonReason,
  solvimonError,
  solvimonErrors,
} from "../../shared/intake/solvimon-answer.ts";
import { readSolvimonEvent, readSolvimonList, type SolvimonEvent } from "../../shared/intake/solvimon-body.ts";
import { type EventResult, usageAnswer } from "../../shared/intake/usage-answer.ts";
import { HEADER, POSITION_MAX, SOLVIMON_PATHS, SOLVIMON_VERSION } from "../../shared/wire.ts";
import type { LoadedCatalog } from "../catalog/catalogs.ts";
import { refuse, type WeirContext, type WeirEnv } from "../context.ts";
import { untilCatalogStands } from "../intake/filing-rounds.ts";
import { type DigestedEvent, identify } from "../intake/identify.ts";
import { contextOf } from "../intake/scope.ts";
import type { FileOutcome } from "../ledger/ledger.ts";
import type { Fate, IncomingEvent } from "../ledger/plan.ts";
import { requirePermission } from "../middleware/authenticate.ts";
import { rateLimit } from "../middleware/rate-limit.ts";
import { measureOfMeterData } from "../usage/measure.ts";
import { withBody } from "./body.ts";

const KINDS = Object.keys(SOLVIMON_PATHS) as SolvimonKind[];

export function registerSolvimon(app: Hono<WeirEnv>): void {
  const guards = [requirePermission("METER_DATA.INGEST"), rateLimit, requireVersion] as const;
  for (const kind of KINDS) {
    for (const path of SOLVIMON_PATHS[kind].single)
      app.post(`/:version{v[^/]*}${path}`, ...guards, (c) => ingest(c, kind, false));
    for (const path of SOLVIMON_PATHS[kind].list)
      app.post(`/:version{v[^/]*}${path}`, ...guards, (c) => ingest(c, kind, true));
  }
}

/** Lets only the one version of the API pass that is spoken here. */
export async function requireVersion(c: WeirContext, next: () => Promise<void>): Promise<Response | undefined> {
  const version = c.req.param("version")?.slice(1) ?? "";
  if (version !== SOLVIMON_VERSION) {
    return c.json(
      solvimonError(
        "UNSUPPORTED_VERSION",
        `version ${JSON.stringify(version.slice(0, 20))} is not supported; use ${SOLVIMON_VERSION}`,
      ),
      400,
    );
  }
  await next();
  return undefined;
}

/** What is kept of an event while it is filed; its parsed value is not. */
type Digested = DigestedEvent & { readonly reasons: readonly SolvimonReason[] };

function ingest(c: WeirContext, kind: SolvimonKind, isList: boolean): Promise<Response> {
  const bounds = { forms: ["json"], bytesMax: c.get("services").settings.limits.bodyBytesMax } as const;
  return withBody(c, bounds, (bytes) => ingestBody(c, kind, isList, bytes));
}

function digest(
  kind: SolvimonKind,
  { source, value, faults }: SolvimonEvent,
  index: number,
  catalog: LoadedCatalog,
): Digested {
  const unknown = faults.length > 0 ? [] : (catalog.references?.unknown(kind, value) ?? []);
  const reasons = [...faults, ...unknown.map((reason) => ({ ...reason, index }))];
  return {
    source,
    reasons,
    faults: reasons.map((reason) => quarantineError(reason, index)),
    hash: contentHash(value, READ_ONLY[kind]),
    ownId: referenceOf(value),
    group: kind === "persist" ? reprocessGroup(value) : null,
    measure: kind === "meter-data" && faults.length === 0 ? measureOfMeterData(value) : null,
  };
}

async function ingestBody(c: WeirContext, kind: SolvimonKind, isList: boolean, bytes: Uint8Array): Promise<Response> {
  const { catalogs, clock } = c.get("services");
  const { tenant } = c.get("principal");
  const answer = await untilCatalogStands(
    await catalogs.load(tenant, clock.now()),
    () => catalogs.load(tenant, clock.now(), true),
    (catalog) => ingestBy(c, kind, isList, bytes, catalog),
  );
  if (answer !== null) return answer;
  c.header("Retry-After", "1");
  return refuse(c, 503, "the catalog keeps changing; try again");
}

/** Checks and files a body by one catalog. */
async function ingestBy(
  c: WeirContext,
  kind: SolvimonKind,
  isList: boolean,
  bytes: Uint8Array,
  catalog: LoadedCatalog,
): Promise<Response | "catalog-changed"> {
  const { settings, catalogs, clock } = c.get("services");
  const readEvents = isList ? readSolvimonList : readSolvimonEvent;
  let index = 0;
  const body = readEvents(bytes, kind, settings.limits, (event) => digest(kind, event, index++, catalog));
  if (body.kind === "too-large") return refuse(c, 413, body.message);
  const headers = readHeaders(c, isList);
  const [first, ...more] = headers.reasons;
  if (first !== undefined) return c.json(solvimonErrors([first, ...more]), 400);
  if (body.kind === "malformed") return c.json(solvimonErrors([withIndex(body.reason, isList)]), 400);
  if (headers.position !== null && headers.position.first + body.events.length - 1 > POSITION_MAX) {
    const message = "Weir-Sequence and the number of events run past 2^53-1";
    return c.json(solvimonError("INVALID_FIELD", message, { field: "Weir-Sequence" }), 400);
  }
  if (body.events.length === 0) return c.json(solvimonError("BAD_REQUEST", "the list holds no event"), 400);
  const [fault, ...others] = body.events.flatMap((event) => event.reasons).map((reason) => withIndex(reason, isList));
  if (!headers.lenient && fault !== undefined) {
    const latest = await catalogs.load(c.get("principal").tenant, clock.now(), true);
    return latest.version === catalog.version ? c.json(solvimonErrors([fault, ...others]), 400) : "catalog-changed";
  }
  const { outcome, incoming, receivedAt } = await file(c, kind, body.events, body.receivedAt, headers, catalog);
  if (outcome.kind === "catalog-changed") return "catalog-changed";
  if (outcome.kind === "key-ended") return refuse(c, 401, "the credentials are unknown, revoked or expired");
  if (outcome.kind === "conflicts") return conflictAnswer(c, kind, isList, incoming, outcome.fates);
  if (outcome.fates.includes("accepted")) {
    c.executionCtx.waitUntil(c.get("services").nudge(c.get("principal").tenant, kind));
  }
  if (isList) return listAnswer(c, kind, incoming, outcome.fates, headers);
  return singleAnswer(c, kind, incoming[0], outcome.fates[0], receivedAt);
}

function withIndex({ index, ...reason }: SolvimonReason, isList: boolean): SolvimonReason {
  return isList && index !== undefined ? { ...reason, index } : reason;
}

interface SolvimonHeaders {
  readonly reasons: readonly SolvimonReason[];
  readonly lenient: boolean;
  readonly representation: boolean;
  readonly idempotencyKey: string | null;
  readonly position: ProducerPosition | null;
  readonly context: string;
}

function readHeaders(c: WeirContext, isList: boolean): SolvimonHeaders {
  const header = (name: string) => c.req.header(name) ?? null;
  const producer = producerPositionOf(header(HEADER.producer), header(HEADER.sequence));
  const scope = contextOf(
    c.get("principal"),
    header(HEADER.entityIds),
    header(HEADER.orgIds),
    header(HEADER.platformId),
  );
  const faults = [
    idempotencyKeyError(header(HEADER.idempotencyKey)),
    producer.kind === "invalid" ? producer.error : null,
    ...scope.faults,
  ].filter((fault) => fault !== null);
  const preferences = preferencesOf(header(HEADER.prefer));
  return {
    reasons: faults.map(({ message, field }) => ({
      code: "INVALID_FIELD",
      message,
      ...(field === undefined ? {} : { field }),
    })),
    lenient: isList && preferences.lenient,
    representation: preferences.representation,
    idempotencyKey: header(HEADER.idempotencyKey),
    position: producer.kind === "position" ? producer.position : null,
    context: scope.context,
  };
}

interface Filed {
  readonly outcome: FileOutcome;
  readonly incoming: readonly IncomingEvent[];
  readonly receivedAt: number;
}

async function file(
  c: WeirContext,
  kind: SolvimonKind,
  events: readonly Digested[],
  times: readonly string[] | null,
  headers: SolvimonHeaders,
  catalog: LoadedCatalog,
): Promise<Filed> {
  const { ledger, clock } = c.get("services");
  const { tenant, keyId } = c.get("principal");
  const { idempotencyKey, position } = headers;
  const incoming = identify(events, { tenant, kind, stream: kind, idempotencyKey, position });
  const receivedAt = clock.now();
  const outcome = await ledger.file({
    tenant,
    stream: kind,
    producer: position?.producer ?? null,
    context: headers.context,
    idempotencyKey,
    ownIdField: "reference",
    receivedAt,
    times,
    events: incoming,
    lenient: headers.lenient,
    apiKeyId: keyId,
    catalogVersion: catalog.version,
  });
  return { outcome, incoming, receivedAt };
}

/** 201 with the resource; a repeat gets the original, as it was answered the first time. */
async function singleAnswer(
  c: WeirContext,
  kind: SolvimonKind,
  event: IncomingEvent | undefined,
  fate: Fate | undefined,
  receivedAt: number,
): Promise<Response> {
  if (event === undefined) throw new Error("a request without an event was filed");
  const original =
    fate === "duplicate" ? await c.get("services").events.find(c.get("principal").tenant, event.id) : null;
  if (fate === "duplicate") c.header("Idempotent-Replayed", "true");
  const source = original?.source ?? event.source;
  c.header("Content-Type", "application/json");
  return c.body(resourceText(kind, event.id, source, original?.receivedAt ?? new Date(receivedAt).toISOString()), 201);
}

function listAnswer(
  c: WeirContext,
  kind: SolvimonKind,
  incoming: readonly IncomingEvent[],
  fates: readonly Fate[],
  headers: SolvimonHeaders,
): Response {
  const results = incoming.map((event, i): EventResult => {
    const fate = fates[i] ?? "conflict";
    const { index, id } = event;
    if (fate === "quarantined") return { index, status: fate, id, reasons: event.faults };
    if (fate !== "conflict" && fate !== "closed") return { index, status: fate, id };
    return { index, status: "conflict", id, reasons: [conflictError(conflictReason(kind, event, fate), index)] };
  });
  if (headers.lenient || headers.representation) {
    const applied = [headers.lenient ? "handling=lenient" : "", headers.representation ? "return=representation" : ""];
    c.header("Preference-Applied", applied.filter((name) => name !== "").join(", "));
  }
  return c.json(usageAnswer(results, headers.representation));
}

function conflictError({ code, message, field }: SolvimonReason, index: number): ValidationError {
  return { code: CONFLICT_CODE, message: `${code}: ${message}`, index, ...(field === undefined ? {} : { field }) };
}

/** Why an event was not taken, in Solvimon's words. */
function conflictReason(kind: SolvimonKind, event: IncomingEvent, fate: Fate): SolvimonReason {
  if (fate === "closed") {
    return {
      code: "INVALID_OPERATION",
      message: "the reprocessing group was closed by its last item",
      field: "reprocess_id",
    };
  }
  if (event.identity === "key") {
    return { code: "IDEMPOTENCY_CHECK_FAILED", message: "the Idempotency-Key was used before with another body" };
  }
  if (event.identity === "id") {
    return {
      code: "RESOURCE_ALREADY_EXISTS",
      message: `${OBJECT_TYPE[kind]} with this reference exists with other content`,
      field: "reference",
    };
  }
  return { code: "RESOURCE_ALREADY_EXISTS", message: "the position was taken before by an event with other content" };
}

function conflictAnswer(
  c: WeirContext,
  kind: SolvimonKind,
  isList: boolean,
  incoming: readonly IncomingEvent[],
  fates: readonly Fate[],
): Response {
  const conflicting = incoming.filter((_, i) => fates[i] === "conflict" || fates[i] === "closed");
  const [first, ...rest] = conflicting.map((event) => ({
    ...conflictReason(kind, event, fates[event.index] ?? "conflict"),
    ...(isList ? { index: event.index } : {}),
  }));
  if (first === undefined) throw new Error("a conflict without a conflicting event");
  const error = solvimonErrors([first, ...rest]);
  const resource =
    first.code === "RESOURCE_ALREADY_EXISTS" && !isList
      ? { resource_id: conflicting[0]?.id, resource_type: OBJECT_TYPE[kind] }
      : {};
  return c.json({ ...error, ...resource }, 409);
}
