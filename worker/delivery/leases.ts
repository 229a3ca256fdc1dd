/**
 * Takes a due call of a lane for one sender, and fixes new ones where none is due.
 *
 * A call is fixed, members and idempotency key, before its first attempt: a crash at any point leaves the very same
 * call to be sent again.
 */
import type { CallLimits } from "../../shared/vendors/vendor.ts";
import type { OutboxRow } from "../database/rows.ts";
import { cargoOf } from "./cargo.ts";
import { describe } from "./described.ts";
import * as SQL from "./outbox-sql.ts";
import { type PackedCall, packCalls } from "./pack.ts";
import { type Account, type Lane, laneScopes } from "./scopes.ts";
import { type Cargo, partsJson, partsOf, type Shipment } from "./shipment.ts";

export interface LeaseRequest {
  readonly account: Account;
  readonly lane: Lane;
  readonly now: number;
  readonly leaseMs: number;
  /** Bytes that a call may have to be taken. */
  readonly room: number;
  /** Only calls in doubt that went to this account before: nothing new goes there. */
  readonly onlyBound: boolean;
  /** Calls may be fixed; else none is looked for before one is packed. */
  readonly fixed: boolean;
  /** Calls fixed in one packing, about. */
  readonly callsMax: number;
  /** Its calls are made of single events: see `Outbox.cargo`. */
  readonly withEntries: boolean;
}

/** Batches read for one packing: a call may hold so many of one event each, and fixing it keeps the database a few milliseconds. */
const PACK_ROWS_MAX = 2_000;
/** A call that was just packed and has no more bytes than this is read with its lease. */
const READ_AT_ONCE_BYTES = 65_536;
/** While one call tries whether a hold still stands no other does, for so long: it may hang. */
const PROBE_MS = 5_000;

export interface Leased {
  readonly shipment: Shipment;
  /** What it carries; null where that was not read yet. */
  readonly cargo: readonly Cargo[] | null;
  /** Nothing else of the lane is due now. */
  readonly isLast: boolean;
}

/** A due call, now this sender's until the lease ends; null where there is none that fits. */
export async function lease(db: D1Database, request: LeaseRequest, limits: CallLimits): Promise<Leased | null> {
  const { lane, now } = request;
  if (request.onlyBound) {
    const [bound] = await db.batch([leaseStatement(db, request, 0), probeStatement(db, request)]);
    return leasedBy(bound, request, false);
  }
  const unpackedOf = SQL.UNPACKED.bind(db, {
    ...{ ...lane, ...laneScopes(request.account, lane), now, room: request.room },
    ...{ destination: request.account.destination, onlyBound: 0, count: PACK_ROWS_MAX },
  });
  const [found, , waiting] = request.fixed
    ? await db.batch([leaseStatement(db, request, 1), probeStatement(db, request), unpackedOf])
    : [undefined, undefined, await unpackedOf.all()];
  const due = leasedBy(found, request, false);
  const unpacked = SQL.UNPACKED.rows(waiting);
  return due !== null || unpacked.length === 0 ? due : packAndLease(db, request, unpacked, limits);
}

async function packAndLease(
  db: D1Database,
  request: LeaseRequest,
  unpacked: readonly SQL.Unpacked[],
  limits: CallLimits,
): Promise<Leased | null> {
  const { lane, now, callsMax } = request;
  const { statements, calls, isAll } = await packing(db, lane, now, unpacked, limits, callsMax);
  const [first] = unpacked;
  const isTrial = first?.probing === 1;
  const isLast =
    calls.length === 1 && isAll && unpacked.length < PACK_ROWS_MAX && !isTrial && first?.has_large_due !== 1;
  const [call] = calls;
  const cargo =
    call !== undefined && call.bytes <= READ_AT_ONCE_BYTES ? cargoOf(db, call.parts, request.withEntries) : null;
  const results = await db.batch([
    ...statements,
    leaseStatement(db, request, 0),
    // What begins to hold the lane meanwhile lets no call be taken, so that none has to be told that one tries.
    ...(isTrial ? [probeStatement(db, request)] : []),
    ...(cargo === null ? [] : [cargo.statement]),
  ]);
  const leased = leasedBy(results[statements.length], request, isLast);
  const isRead = cargo !== null && leased !== null && leased.shipment.callKey === call?.callKey;
  return isRead ? { ...leased, cargo: cargo.of(results.at(-1)) } : leased;
}

function leasedBy(result: D1Result | undefined, request: LeaseRequest, isLast: boolean): Leased | null {
  const [call] = SQL.LEASE.rows(result);
  return call === undefined ? null : { shipment: shipmentOf(call, request), cargo: null, isLast };
}

function leaseStatement(db: D1Database, request: LeaseRequest, packFirst: 0 | 1): D1PreparedStatement {
  const { account, lane, now, room, onlyBound } = request;
  return SQL.LEASE.bind(db, {
    ...{ ...lane, ...laneScopes(account, lane), leaseUntil: leaseEnd(request), now, room, packFirst },
    ...{ destination: account.destination, onlyBound: onlyBound ? 1 : 0 },
  });
}

function probeStatement(db: D1Database, request: LeaseRequest): D1PreparedStatement {
  const { account, lane, now } = request;
  const scopes = laneScopes(account, lane);
  return SQL.PROBE.bind(db, { ...lane, ...scopes, leaseUntil: leaseEnd(request), probingUntil: now + PROBE_MS });
}

function leaseEnd({ now, leaseMs }: LeaseRequest): number {
  return now + leaseMs;
}

function shipmentOf(call: SQL.LeasedCall, { account, lane }: LeaseRequest): Shipment {
  return {
    ...lane,
    account,
    id: call.id,
    callKey: call.call_key,
    parts: partsOf(call.parts),
    events: call.events,
    bytes: call.bytes ?? SQL.BYTES_UNKNOWN,
    laneFailures: call.lane_failures,
    attempt: call.attempts,
    outcomeUnknown: call.outcome_unknown === 1,
  };
}

export interface Packing {
  readonly statements: D1PreparedStatement[];
  /** The calls that they fix. */
  readonly calls: readonly (PackedCall & { readonly callKey: string })[];
  /** Whether all of the rows go into them. */
  readonly isAll: boolean;
}

/** What fixes the calls that these rows of a lane make, in three statements. */
export async function packing(
  db: D1Database,
  { tenant, stream, context }: Lane,
  now: number,
  unpacked: readonly SQL.Unpacked[],
  limits: CallLimits,
  callsMax: number,
): Promise<Packing> {
  const rows = someOf(unpacked, limits, callsMax);
  const known = await describe(db, rows, limits, stream === "persist");
  const calls = packCalls(known.rows, limits).map((call) => ({ ...call, callKey: crypto.randomUUID() }));
  const batches = JSON.stringify(rows.map((row) => row.batch));
  const values = calls.map(({ callKey, parts, events, bytes }) => {
    const group = known.groupOf(parts[0]);
    return [callKey, partsJson(parts), events, bytes, group?.id ?? null, group?.closes ? 1 : 0];
  });
  const lastKey = calls.at(-1)?.callKey ?? "";
  const lane = { tenant, stream, context };
  const statements = [
    SQL.PACK.bind(db, { ...lane, now, calls: JSON.stringify(values), batches, batchCount: rows.length }),
    SQL.LIST_PARTS.bind(db, { count: calls.length, lastKey }),
    SQL.UNLIST.bind(db, { ...lane, batches, lastKey }),
  ];
  return { statements, calls, isAll: rows.length === unpacked.length };
}

/** As many rows as make a bounded number of calls, one while a lane is tried; at least one. */
function someOf<Row extends Pick<OutboxRow, "events" | "bytes"> & { readonly probing: 0 | 1 }>(
  rows: readonly Row[],
  limits: CallLimits,
  callsMax: number,
): Row[] {
  const isTrial = rows[0]?.probing === 1;
  const eventsMax = (isTrial ? 1 : callsMax) * limits.eventsMax;
  const bytesMax = isTrial ? limits.bytesMax : Number.POSITIVE_INFINITY;
  let events = 0;
  let bytes = 2;
  const end = rows.findIndex((row, i) => {
    events += row.events;
    bytes += row.bytes + 1;
    return i > 0 && (events > eventsMax || bytes > bytesMax);
  });
  return end < 0 ? [...rows] : rows.slice(0, end);
}
