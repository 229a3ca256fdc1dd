/**
 * The D1 side of delivery: which batches wait, which calls are fixed, who is sending them, what came of it.
 *
 * A call is fixed, members and idempotency key, before its first attempt, and settled in one transaction that
 * looks for its own lease. So a crash at any point leaves the very same call to be sent again, and no sender
 * that came late can count it twice.
 */
import { ENTRY_STATUS, entrySpans } from "../ledger/entries.ts";
import * as SQL from "./outbox-sql.ts";
import { type CallLimits, isOversized, type OutboxRow, type Part, packCalls } from "./pack.ts";

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
  cargo(shipment: Shipment): Promise<Cargo[]>;
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

export function createOutbox(db: D1Database): Outbox {
  return {
    take: (request, limits) => take(db, request, limits),
    cargo: (shipment) => readCargo(db, shipment),
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
  const rows = await withSizes(db, unpacked, limits);
  const calls = packCalls(rows, limits).map((call) => ({ ...call, callKey: crypto.randomUUID() }));
  const batches = JSON.stringify(rows.map((row) => row.batch));
  const values = calls.map((call) => [call.context, call.callKey, partsJson(call.parts), call.events]);
  return [
    db.prepare(SQL.PACK).bind(tenant, stream, now, JSON.stringify(values), batches, rows.length),
    db.prepare(SQL.UNLIST).bind(tenant, stream, batches, calls.at(-1)?.callKey ?? ""),
  ];
}

/** Adds entry sizes to the rows that are too large for one call. */
async function withSizes(db: D1Database, rows: readonly OutboxRow[], limits: CallLimits): Promise<OutboxRow[]> {
  const large = rows.filter((row) => isOversized(row, limits)).map((row) => row.batch);
  if (large.length === 0) return [...rows];
  const { results } = await db
    .prepare(SQL.ENTRIES)
    .bind(JSON.stringify(large))
    .all<{ batch: number; entries: string; units: number }>();
  const found = new Map(results.map((row) => [row.batch, row]));
  return rows.map((row) => {
    const entry = found.get(row.batch);
    if (entry === undefined) return row;
    // Lengths are in UTF-16 units; a text that is not plain ASCII has at most three bytes a unit.
    const bytesPerUnit = entry.units === row.bytes ? 1 : 3;
    const sizes = entrySpans(entry.entries).map((span) =>
      span.status === ENTRY_STATUS.stored ? (span.end - span.start) * bytesPerUnit : 0,
    );
    return { ...row, sizes };
  });
}

async function readCargo(db: D1Database, shipment: Shipment): Promise<Cargo[]> {
  const { results } = await db
    .prepare(SQL.CARGO)
    .bind(partsJson(shipment.parts))
    .all<{ producer: string; payload: string; entries: string | null }>();
  if (results.length !== shipment.parts.length) throw new Error(`shipment ${shipment.id} lacks a batch in the ledger`);
  return shipment.parts.map((part, i) => {
    const row = results[i];
    if (row === undefined) throw new Error(`shipment ${shipment.id} lacks a batch in the ledger`);
    return { part, producer: row.producer, payload: row.payload, entries: row.entries };
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
      statements.push(by(SQL.ADD_CHILDREN, now, JSON.stringify(children)), by(SQL.CLOSE, "split"));
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
