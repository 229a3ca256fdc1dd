/**
 * The D1 side of delivery: which batches wait, which calls are fixed, who is sending them, what came of it.
 *
 * A call is fixed, members and idempotency key, before its first attempt, and settled in one transaction that
 * looks for its own lease. So a crash at any point leaves the very same call to be sent again, and no sender
 * that came late can count it twice.
 */
import { reprocessGroupOf } from "../../shared/vendors/reprocess-group.ts";
import type { CallLimits } from "../../shared/vendors/vendor.ts";
import { ENTRY_STATUS, type EntrySpan, entrySpans } from "../ledger/entries.ts";
import type { ReprocessGroup } from "../ledger/plan.ts";
import * as SQL from "./outbox-sql.ts";
import { isOversized, type OutboxRow, type Part, packCalls } from "./pack.ts";

/** A call that this sender holds. */
export interface Shipment {
  readonly id: number;
  readonly tenant: string;
  readonly stream: string;
  readonly context: string;
  readonly callKey: string;
  readonly parts: readonly Part[];
  readonly events: number;
  /** This attempt's number, from 1; the lease is known by it. */
  readonly attempt: number;
  /** An earlier attempt ended without an answer. */
  readonly outcomeUnknown: boolean;
}

/** One part's payload, and where its entries stand in it (null: all of it is sent as it is). */
export interface Cargo {
  readonly part: Part;
  readonly producer: string;
  readonly payload: string;
  readonly entries: string | null;
  /** Milliseconds since 1970. */
  readonly receivedAt: number;
  /** When an agent first received each entry, JSON array; null where none said. */
  readonly times: string | null;
}

export interface AttemptRecord {
  readonly at: number;
  readonly durationMs: number;
  readonly status: number | null;
  readonly verdict: string;
  readonly message: string | null;
}

export interface QuarantinedEvent {
  readonly producer: string;
  readonly batch: number;
  readonly entry: number;
  readonly eventId: string;
  readonly event: string;
  readonly reasons: string;
  readonly upstream: string | null;
}

/** What came of an attempt. */
export type Settlement =
  | { readonly kind: "delivered"; readonly perProducer: ReadonlyMap<string, number> }
  | { readonly kind: "split"; readonly halves: readonly (readonly Part[])[] }
  | { readonly kind: "quarantined"; readonly event: QuarantinedEvent }
  | {
      readonly kind: "postponed";
      readonly nextAt: number;
      readonly outcomeUnknown: boolean;
      readonly hold?: { readonly scope: string; readonly until: number; readonly reason: string };
    };

export interface StreamKey {
  readonly tenant: string;
  readonly stream: string;
}

export interface LeaseRequest extends StreamKey {
  readonly now: number;
  readonly leaseMs: number;
  readonly count: number;
  /** Scopes whose holds stop this stream. */
  readonly scopes: readonly [string, string];
}

export interface Outbox {
  /** Takes up to `count` due calls, packing new ones where too few are fixed. */
  take(request: LeaseRequest, limits: CallLimits): Promise<Shipment[]>;
  /** @param withEntries also where a part is a whole batch. */
  cargo(shipment: Shipment, withEntries: boolean): Promise<Cargo[]>;
  batch(id: number): Promise<BatchRow>;
  settle(shipment: Shipment, record: AttemptRecord, settlement: Settlement, now: number): Promise<void>;
  /** Streams with pending work. */
  pending(countMax: number): Promise<StreamKey[]>;
  /** When something of the stream is due next; null where nothing is fixed. */
  nextDue(stream: StreamKey, scopes: readonly [string, string]): Promise<number | null>;
}

export interface BatchRow {
  readonly producer: string | null;
  readonly first: number | null;
  readonly idempotency_key: string | null;
  readonly own_id_field: string | null;
  readonly payload: string;
  readonly entries: string;
  /** Of the event that this batch sends again from quarantine; null for any other batch. */
  readonly origin_id: string | null;
  readonly origin_batch: number | null;
  readonly origin_entry: number | null;
}

/** Batches read for one packing. */
const PACK_ROWS_MAX = 400;
/** Calls fixed in one packing, about. */
const PACK_CALLS_MAX = 200;

export function createOutbox(db: D1Database): Outbox {
  return {
    take: (request, limits) => take(db, request, limits),
    cargo: (shipment, withEntries) => readCargo(db, shipment, withEntries),
    async batch(id) {
      const row = await db.prepare(SQL.BATCH).bind(id).first<BatchRow>();
      if (row === null) throw new Error(`batch ${id} is not in the ledger`);
      return row;
    },
    settle: (shipment, record, settlement, now) => settle(db, shipment, record, settlement, now),
    async pending(countMax) {
      const found = await db.batch<StreamKey>(
        [SQL.STREAMS_UNPACKED, SQL.STREAMS_OPEN].map((sql) => db.prepare(sql).bind(countMax)),
      );
      const streams = new Map<string, StreamKey>();
      for (const { results } of found) for (const row of results) streams.set(`${row.tenant}\n${row.stream}`, row);
      return [...streams.values()];
    },
    async nextDue({ tenant, stream }, scopes) {
      const row = await db
        .prepare(SQL.NEXT_DUE)
        .bind(tenant, stream, ...scopes)
        .first<{ due: number | null; held: number | null }>();
      return row === null || row.due === null ? null : Math.max(row.due, row.held ?? 0);
    },
  };
}

interface ShipmentRow {
  readonly id: number;
  readonly context: string;
  readonly call_key: string;
  readonly parts: string;
  readonly events: number;
  readonly attempts: number;
  readonly outcome_unknown: number;
}

function leaseStatement(db: D1Database, request: LeaseRequest, count: number): D1PreparedStatement {
  const { tenant, stream, now, leaseMs, scopes } = request;
  return db.prepare(SQL.LEASE).bind(tenant, stream, now, now + leaseMs, count, ...scopes);
}

async function take(db: D1Database, request: LeaseRequest, limits: CallLimits): Promise<Shipment[]> {
  const { tenant, stream, count } = request;
  const [leased, waiting] = await db.batch([
    leaseStatement(db, request, count),
    db.prepare(SQL.UNPACKED).bind(tenant, stream, PACK_ROWS_MAX),
  ]);
  const rows = (leased?.results ?? []) as ShipmentRow[];
  const unpacked = (waiting?.results ?? []) as OutboxRow[];
  if (rows.length < count && unpacked.length > 0) {
    const packing = await packStatements(db, request, unpacked, limits);
    const results = await db.batch([...packing, leaseStatement(db, request, count - rows.length)]);
    rows.push(...((results.at(-1)?.results ?? []) as ShipmentRow[]));
  }
  return rows.map((row) => shipmentOf(row, request));
}

function shipmentOf(row: ShipmentRow, { tenant, stream }: StreamKey): Shipment {
  return {
    id: row.id,
    tenant,
    stream,
    context: row.context,
    callKey: row.call_key,
    parts: partsOf(row.parts),
    events: row.events,
    attempt: row.attempts,
    outcomeUnknown: row.outcome_unknown === 1,
  };
}

function partsOf(json: string): Part[] {
  const parts: [number, number, number, number][] = JSON.parse(json);
  return parts.map(([batch, from, to, events]) => ({ batch, from, to, events }));
}

function partsJson(parts: readonly Part[]): string {
  return JSON.stringify(parts.map(({ batch, from, to, events }) => [batch, from, to, events]));
}

async function packStatements(
  db: D1Database,
  request: LeaseRequest,
  unpacked: readonly OutboxRow[],
  limits: CallLimits,
): Promise<D1PreparedStatement[]> {
  const { tenant, stream, now } = request;
  const rows = someOf(unpacked, limits);
  const known = await describe(db, rows, limits, stream === "persist");
  const calls = packCalls(known.rows, limits).map((call) => ({ ...call, callKey: crypto.randomUUID() }));
  const batches = JSON.stringify(rows.map((row) => row.batch));
  const values = calls.map((call) => {
    const group = known.groupOf(call.parts[0]);
    return [call.context, call.callKey, partsJson(call.parts), call.events, group?.id ?? null, group?.closes ? 1 : 0];
  });
  const lastKey = calls.at(-1)?.callKey ?? "";
  return [
    db.prepare(SQL.PACK).bind(tenant, stream, now, JSON.stringify(values), batches, rows.length),
    db.prepare(SQL.LIST_PARTS).bind(calls.length, lastKey),
    db.prepare(SQL.UNLIST).bind(tenant, stream, batches, lastKey),
  ];
}

/** As many rows as make a bounded number of calls; at least one. */
function someOf(rows: readonly OutboxRow[], limits: CallLimits): OutboxRow[] {
  const eventsMax = PACK_CALLS_MAX * limits.eventsMax;
  let events = 0;
  const taken = rows.findIndex((row, i) => {
    events += row.events;
    return i > 0 && events > eventsMax;
  });
  return taken < 0 ? [...rows] : rows.slice(0, taken);
}

interface Described {
  readonly rows: readonly OutboxRow[];
  /** The reprocessing group of the one event of a part. */
  groupOf(part: Part | undefined): ReprocessGroup | null;
}

/** Adds entry sizes to the rows that are too large for one call, and reads the groups of persist events. */
async function describe(
  db: D1Database,
  rows: readonly OutboxRow[],
  limits: CallLimits,
  withGroups: boolean,
): Promise<Described> {
  const wanted = rows.filter((row) => withGroups || isOversized(row, limits)).map((row) => row.batch);
  if (wanted.length === 0) return { rows, groupOf: () => null };
  const { results } = await db
    .prepare(SQL.ENTRIES)
    .bind(JSON.stringify(wanted), withGroups ? 1 : 0)
    .all<{ batch: number; entries: string; units: number; payload: string | null }>();
  const found = new Map(results.map((row) => [row.batch, { ...row, spans: entrySpans(row.entries) }]));
  return {
    rows: rows.map((row) => {
      const batch = found.get(row.batch);
      return batch === undefined ? row : { ...row, sizes: sizesOf(batch.spans, batch.units === row.bytes ? 1 : 3) };
    }),
    groupOf: (part) => {
      const batch = part === undefined ? undefined : found.get(part.batch);
      const span = batch?.spans.find(
        (item, entry) =>
          part !== undefined && entry >= part.from && entry <= part.to && item.status === ENTRY_STATUS.stored,
      );
      return batch?.payload && span !== undefined ? reprocessGroupOf(batch.payload.slice(span.start, span.end)) : null;
    },
  };
}

/** Lengths are in UTF-16 units; a text that is not plain ASCII has at most three bytes a unit. */
function sizesOf(spans: readonly EntrySpan[], bytesPerUnit: number): number[] {
  return spans.map((span) => (span.status === ENTRY_STATUS.stored ? (span.end - span.start) * bytesPerUnit : 0));
}

async function readCargo(db: D1Database, shipment: Shipment, withEntries: boolean): Promise<Cargo[]> {
  const { results } = await db
    .prepare(SQL.CARGO)
    .bind(partsJson(shipment.parts), withEntries ? 1 : 0)
    .all<{ producer: string; payload: string; entries: string | null; received_at: number; times: string | null }>();
  if (results.length !== shipment.parts.length) throw new Error(`shipment ${shipment.id} lacks a batch in the ledger`);
  return shipment.parts.map((part, i) => {
    const row = results[i];
    if (row === undefined) throw new Error(`shipment ${shipment.id} lacks a batch in the ledger`);
    const { producer, payload, entries, times } = row;
    return { part, producer, payload, entries, receivedAt: row.received_at, times };
  });
}

async function settle(
  db: D1Database,
  shipment: Shipment,
  record: AttemptRecord,
  settlement: Settlement,
  now: number,
): Promise<void> {
  const { tenant, stream } = shipment;
  const by = (sql: string, ...values: unknown[]) => db.prepare(sql).bind(shipment.id, shipment.attempt, ...values);
  const { at, durationMs, status, verdict, message } = record;
  const statements = [by(SQL.RECORD_ATTEMPT, at, durationMs, status, verdict, message)];
  switch (settlement.kind) {
    case "delivered":
      for (const [producer, events] of settlement.perProducer) {
        statements.push(by(SQL.COUNT_OUTCOME, tenant, stream, producer, events, 0));
      }
      if (stream === "persist") statements.push(by(SQL.SETTLE_GROUP, tenant));
      statements.push(by(SQL.CLOSE, "delivered"));
      break;
    case "split": {
      const children = settlement.halves.map((parts) => [
        tenant,
        stream,
        shipment.context,
        crypto.randomUUID(),
        partsJson(parts),
        parts.reduce((sum, part) => sum + part.events, 0),
      ]);
      statements.push(
        by(SQL.ADD_CHILDREN, now, JSON.stringify(children)),
        db.prepare(SQL.LIST_PARTS).bind(children.length, children.at(-1)?.[3] ?? ""),
        by(SQL.CLOSE, "split"),
      );
      break;
    }
    case "quarantined": {
      const { producer, batch, entry, eventId, event, reasons, upstream } = settlement.event;
      statements.push(
        by(
          SQL.ADD_QUARANTINED,
          tenant,
          stream,
          producer,
          batch,
          entry,
          eventId,
          event,
          shipment.context,
          reasons,
          upstream,
          now,
        ),
        by(SQL.COUNT_OUTCOME, tenant, stream, producer, 0, 1),
        ...(stream === "persist" ? [by(SQL.SETTLE_GROUP, tenant)] : []),
        by(SQL.CLOSE, "quarantined"),
      );
      break;
    }
    case "postponed":
      statements.push(by(SQL.POSTPONE, settlement.nextAt, settlement.outcomeUnknown ? 1 : 0));
      if (settlement.hold !== undefined) {
        const { scope, until, reason } = settlement.hold;
        statements.push(db.prepare(SQL.HOLD).bind(scope, until, reason));
      }
  }
  await db.batch(statements);
}
