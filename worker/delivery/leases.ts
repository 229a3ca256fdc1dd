/**
 * Takes a due call of a lane for one sender, and fixes new ones where none is due.
 *
 * A call is fixed, members and idempotency key, before its first attempt: a crash at any point leaves the very same
 * call to be sent again.
 */
import type { CallLimits } from "../../shared/vendors/vendor.ts";
import type { OutboxRow } from "../database/rows.ts";
import { describe } from "./described.ts";
import * as SQL from "./outbox-sql.ts";
import { packCalls } from "./pack.ts";
import { type Account, type Lane, laneScopes } from "./scopes.ts";
import { partsJson, partsOf, type Shipment } from "./shipment.ts";

export interface LeaseRequest {
  readonly account: Account;
  readonly lane: Lane;
  readonly now: number;
  readonly leaseMs: number;
  /** Bytes that a call may have to be taken. */
  readonly room: number;
  /** Only calls in doubt that went to this account before: nothing new goes there. */
  readonly onlyBound: boolean;
}

/** Batches read for one packing: a call may hold so many of one event each, and fixing it keeps the database a few milliseconds. */
const PACK_ROWS_MAX = 2_000;
/** Calls fixed in one packing, about. */
const PACK_CALLS_MAX = 200;
/** While one call tries whether a hold still stands no other does, for so long: it may hang. */
const PROBE_MS = 5_000;

export interface Leased {
  readonly shipment: Shipment;
  /** Nothing else of the lane is due now. */
  readonly isLast: boolean;
}

/** A due call, now this sender's until the lease ends; null where there is none that fits. */
export async function lease(db: D1Database, request: LeaseRequest, limits: CallLimits): Promise<Leased | null> {
  const { lane, now } = request;
  if (request.onlyBound) {
    const [bound] = await db.batch(leaseStatements(db, request, 0));
    return leasedBy(bound, request, false);
  }
  const of = { ...lane, ...laneScopes(request.account, lane) };
  const [found, , waiting] = await db.batch([
    ...leaseStatements(db, request, 1),
    SQL.UNPACKED.bind(db, {
      ...{ ...of, now, room: request.room, destination: request.account.destination, onlyBound: 0 },
      count: PACK_ROWS_MAX,
    }),
  ]);
  const due = leasedBy(found, request, false);
  const unpacked = SQL.UNPACKED.rows(waiting);
  if (due !== null || unpacked.length === 0) return due;
  const { statements, calls, isAll } = await packing(db, lane, now, unpacked, limits);
  const [first] = unpacked;
  const isLast =
    calls === 1 && isAll && unpacked.length < PACK_ROWS_MAX && first?.probing !== 1 && first?.has_large_due !== 1;
  const results = await db.batch([...statements, ...leaseStatements(db, request, 0)]);
  return leasedBy(results.at(-2), request, isLast);
}

function leasedBy(result: D1Result | undefined, request: LeaseRequest, isLast: boolean): Leased | null {
  const [call] = SQL.LEASE.rows(result);
  return call === undefined ? null : { shipment: shipmentOf(call, request), isLast };
}

function leaseStatements(
  db: D1Database,
  { account, lane, now, leaseMs, room, onlyBound }: LeaseRequest,
  packFirst: 0 | 1,
): [D1PreparedStatement, D1PreparedStatement] {
  const leaseUntil = now + leaseMs;
  const of = { ...lane, ...laneScopes(account, lane), leaseUntil };
  return [
    SQL.LEASE.bind(db, {
      ...{ ...of, now, room, packFirst },
      ...{ destination: account.destination, onlyBound: onlyBound ? 1 : 0 },
    }),
    SQL.PROBE.bind(db, { ...of, probingUntil: now + PROBE_MS }),
  ];
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
  /** How many calls they fix. */
  readonly calls: number;
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
): Promise<Packing> {
  const rows = someOf(unpacked, limits);
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
  return { statements, calls: calls.length, isAll: rows.length === unpacked.length };
}

/** As many rows as make a bounded number of calls, one while a lane is tried; at least one. */
function someOf<Row extends Pick<OutboxRow, "events" | "bytes"> & { readonly probing: 0 | 1 }>(
  rows: readonly Row[],
  limits: CallLimits,
): Row[] {
  const isTrial = rows[0]?.probing === 1;
  const eventsMax = (isTrial ? 1 : PACK_CALLS_MAX) * limits.eventsMax;
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
