/**
 * The one way in: `ingest(dialect, request)` reads a request's body, checks its events by the tenant's catalog and files
 * them in one transaction. What it comes to is an outcome; the dialect words the answer.
 *
 * Refusals come in this order: unknown stream, content type and coding, size (events are counted before they are
 * checked), headers, what is no JSON, events that are not valid. Nothing is accepted that is not durable.
 */

import type { WallClock } from "../../shared/clock.ts";
import { type Answerable, type Reason, type Refusal, refused } from "../../shared/intake/dialect.ts";
import type { ProducerPosition } from "../../shared/intake/headers.ts";
import { coversProducer } from "../../shared/intake/producer-names.ts";
import { type IngestHeaders, ingestHeadersOf } from "../../shared/intake/request.ts";
import type { BodyForm, BodyLimits } from "../../shared/wire.ts";
import type { Principal } from "../accounts/principal.ts";
import type { Catalogs, LoadedCatalog } from "../catalog/catalogs.ts";
import type { LedgerSize } from "../database/ledger-size.ts";
import type { EventReader } from "../ledger/event-reader.ts";
import type { FileOutcome, Ledger } from "../ledger/ledger.ts";
import type { IncomingEvent } from "../ledger/plan.ts";
import type { Admission } from "./admission.ts";
import { type Digested, digestBy } from "./digest.ts";
import type { EdgeDialect } from "./edge-dialect.ts";
import { untilCatalogStands } from "./filing-rounds.ts";
import { identify } from "./identify.ts";
import { acceptedOf, conflictsOf } from "./outcome.ts";
import { positionErrors, positionOf } from "./position.ts";
import { scopeOf } from "./scope.ts";
import { type BodyRequest, withBody } from "./with-body.ts";

export interface IngestRequest extends BodyRequest {
  readonly principal: Principal;
}

/** What the pipeline needs of the Worker. */
export interface IngestHost {
  readonly limits: BodyLimits;
  readonly clock: WallClock;
  readonly admission: Admission;
  readonly catalogs: Catalogs;
  readonly ledger: Ledger;
  readonly ledgerSize: LedgerSize;
  readonly events: EventReader;
  /** Accepted events wait for delivery. The answer need not. */
  onPending(tenant: string, stream: string, context: string): void;
}

export type Ingest = <R extends Reason>(dialect: EdgeDialect<R>, request: IngestRequest) => Promise<Answerable<R>>;

/** A request's headers, and what they name. */
interface Named extends IngestHeaders {
  readonly position: ProducerPosition | null;
  readonly context: string;
  readonly sentIds: string;
}

export function createIngest(host: IngestHost): Ingest {
  return async function ingest(dialect, request) {
    const listed = unlistedProducer(request);
    if (listed !== null) return listed;
    if (await host.ledgerSize.isFull()) return ledgerFull();
    const catalog = await catalogWith(dialect, request.principal.tenant, host);
    if (catalog === null) return unknownStream(dialect);
    const bounds = { forms: dialect.forms, bytesMax: host.limits.bodyBytesMax };
    const nonce = crypto.randomUUID();
    return withBody(request, bounds, host.admission, async (bytes, form) => {
      const outcome = await untilCatalogStands(
        catalog,
        () => load(request.principal.tenant, host, true),
        (current) => ingestBy(current, dialect, request, { bytes, form, nonce }, host),
      );
      return outcome ?? refused("catalog-unsettled", "the catalog keeps changing; try again");
    });
  };
}

/** What a key's own list of producers keeps out, before anything is read. */
function unlistedProducer({ header, principal: { producers } }: IngestRequest): Refusal | null {
  const named = positionOf(header);
  if (producers === null || named.kind !== "position" || named.position === null) return null;
  return coversProducer(producers, named.position.producer) ? null : foreignProducer(named.position.producer);
}

function foreignProducer(producer: string): Refusal {
  const message = `the key may not send as producer ${JSON.stringify(producer)}: an admin moves the name or lists it on the key`;
  return refused("foreign-producer", message);
}

function ledgerFull(): Refusal {
  return refused("ledger-full", "the ledger is full; events are taken again once retention has made room");
}

function load(tenant: string, { catalogs, clock }: IngestHost, fresh: boolean): Promise<LoadedCatalog> {
  return catalogs.load(tenant, clock.now(), fresh);
}

function unknownStream<R extends Reason>({ unknown }: EdgeDialect<R>) {
  return refused("unknown-stream", unknown);
}

/** An unknown stream is looked up afresh before it is called unknown: it may have been added a second ago. */
async function catalogWith<R extends Reason>(
  dialect: EdgeDialect<R>,
  tenant: string,
  host: IngestHost,
): Promise<LoadedCatalog | null> {
  for (const fresh of [false, true]) {
    const catalog = await load(tenant, host, fresh);
    if (dialect.rulesBy(catalog) !== null) return catalog;
  }
  return null;
}

interface Body {
  readonly bytes: Uint8Array;
  readonly form: BodyForm;
  /** Names the request, by whichever catalog it is filed. */
  readonly nonce: string;
}

/** Checks and files a body by one catalog. */
async function ingestBy<R extends Reason>(
  catalog: LoadedCatalog,
  dialect: EdgeDialect<R>,
  request: IngestRequest,
  { bytes, form, nonce }: Body,
  host: IngestHost,
): Promise<Answerable<R> | "catalog-changed"> {
  const rules = dialect.rulesBy(catalog);
  if (rules === null) return unknownStream(dialect);
  const named = headersOf(dialect, request);
  const byPosition = named.position !== null && named.idempotencyKey === null;
  const body = dialect.read(bytes, form, rules.check, host.limits, digestBy(dialect, rules, byPosition));
  if (body.kind === "too-large") return refused("too-large", body.message);
  if (named.errors.length > 0) {
    return { kind: "bad-headers", message: "a header is not valid", errors: named.errors };
  }
  if (body.kind === "malformed") return body;
  const beyond = positionErrors(named.position, body.events.length);
  if (beyond.length > 0) return { kind: "bad-headers", message: "the positions run past 2^53-1", errors: beyond };
  const errors = body.events.flatMap((event) => event.errors);
  if (!named.preferences.lenient && errors.length > 0) {
    const latest = await load(request.principal.tenant, host, true);
    if (latest.version !== catalog.version) return "catalog-changed";
    return { kind: "rejected", errors, conflicts: [], total: body.events.length };
  }
  return file(
    dialect,
    request.principal,
    named,
    { ...body, catalog, ownIdField: rules.ownIdField, bytes, nonce },
    host,
  );
}

function headersOf<R extends Reason>(dialect: EdgeDialect<R>, { header, principal }: IngestRequest): Named {
  const common = ingestHeadersOf(header, dialect);
  const position = positionOf(header);
  const scope = scopeOf(principal, header, dialect.kind);
  const positionError = position.kind === "invalid" ? [position.error] : [];
  return {
    ...common,
    errors: [...common.errors, ...positionError, ...scope.errors],
    position: position.kind === "position" ? position.position : null,
    context: scope.context,
    sentIds: scope.sentIds,
  };
}

interface Checked<R> {
  readonly events: readonly Digested<R>[];
  readonly receivedAt: readonly string[] | null;
  readonly catalog: LoadedCatalog;
  readonly ownIdField: string | null;
  /** The body. */
  readonly bytes: Uint8Array;
  readonly nonce: string;
}

async function file<R extends Reason>(
  dialect: EdgeDialect<R>,
  { tenant, keyId, lineage, producers }: Principal,
  { preferences, idempotencyKey, position, context, sentIds }: Named,
  { events, receivedAt: times, catalog, ownIdField, bytes, nonce }: Checked<R>,
  host: IngestHost,
): Promise<Answerable<R> | "catalog-changed"> {
  const { kind, stream } = dialect;
  const incoming = identify(events, { tenant, kind, stream, sentIds, idempotencyKey, position, bytes, nonce });
  const receivedAt = host.clock.now();
  const outcome = await host.ledger.file({
    ...{ tenant, stream, context, sentIds, idempotencyKey, ownIdField, receivedAt, times, nonce },
    producer: position?.producer ?? null,
    owner: lineage,
    isListed: position !== null && producers !== null,
    events: incoming,
    lenient: preferences.lenient,
    apiKeyId: keyId,
    catalogVersion: catalog.version,
  });
  switch (outcome.kind) {
    case "catalog-changed":
      return "catalog-changed";
    case "key-ended":
      return refused("key-ended", "the credentials are unknown, revoked or expired");
    case "ledger-full":
      return ledgerFull();
    case "foreign-producer":
      return foreignProducer(position?.producer ?? "");
    case "conflicts":
      return {
        kind: "rejected",
        errors: [],
        conflicts: conflictsOf(dialect, incoming, outcome.fates),
        total: incoming.length,
      };
    case "filed": {
      const place = { stream, producer: position?.producer ?? null };
      if (outcome.fates.includes("accepted")) host.onPending(tenant, stream, context);
      const resource = dialect.isSingle
        ? await resourceOf(incoming, outcome, tenant, place, receivedAt, host.events)
        : null;
      return acceptedOf(dialect, incoming, outcome.fates, preferences, resource);
    }
  }
}

/** Where a request's event was filed the first time, if its position says so. */
interface FiledAt {
  readonly stream: string;
  readonly producer: string | null;
}

async function originalOf({ id, identity, position }: IncomingEvent, at: FiledAt, tenant: string, events: EventReader) {
  if (identity === "position" && at.producer !== null && position !== null) {
    return events.findAt(tenant, at.stream, at.producer, position);
  }
  const found = await events.find(tenant, id);
  return found.kind === "found" ? found.event : null;
}

/** What the one event of a request is answered with: itself, or what it repeats as it was filed the first time. */
async function resourceOf(
  [event]: readonly IncomingEvent[],
  { fates: [fate] }: FileOutcome & { kind: "filed" },
  tenant: string,
  place: FiledAt,
  receivedAt: number,
  events: EventReader,
) {
  if (event === undefined) throw new RangeError("a request without an event was filed");
  const isReplay = fate === "duplicate";
  const original = isReplay ? await originalOf(event, place, tenant, events) : null;
  return {
    id: event.id,
    source: original?.source ?? event.source,
    receivedAt: original?.receivedAt ?? new Date(receivedAt).toISOString(),
    isReplay,
  };
}
