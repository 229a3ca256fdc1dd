/**
 * Takes due calls of a lane for one sender, and fixes new ones where too few are due.
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
  readonly count: number;
  /** Bytes that a call may have to be taken. */
  readonly room: number;
  /** Only calls in doubt that went to this account before: nothing new goes there. */
  readonly onlyBound: boolean;
}

/** Batches read for one packing. */
const PACK_ROWS_MAX = 400;
/** Calls fixed in one packing, about. */
const PACK_CALLS_MAX = 200;
/** While one call tries whether a hold still stands no other does, for so long: it may hang. */
const PROBE_MS = 5_000;

/** Up to `count` due calls, now this sender's until the lease ends; one of a lane that is tried again. */
export async function lease(db: D1Database, request: LeaseRequest, limits: CallLimits): Promise<Shipment[]> {
  const { lane, count, now } = request;
  const of = { ...lane, ...laneScopes(request.account, lane) };
  if (request.onlyBound) {
    const [bound] = await db.batch(leaseStatements(db, request, count, 0));
    return SQL.LEASE.rows(bound).map((call) => shipmentOf(call, request));
  }
  const [leased, , waiting] = await db.batch([
    ...leaseStatements(db, request, count, 1),
    SQL.UNPACKED.bind(db, { ...of, now, count: PACK_ROWS_MAX }),
  ]);
  const calls = SQL.LEASE.rows(leased);
  const unpacked = SQL.UNPACKED.rows(waiting);
  if (calls.length < count && unpacked.length > 0) {
    const packing = await packStatements(db, lane, now, unpacked, limits);
    const results = await db.batch([...packing, ...leaseStatements(db, request, count - calls.length, 0)]);
    calls.push(...SQL.LEASE.rows(results.at(-2)));
  }
  return calls.map((call) => shipmentOf(call, request));
}

function leaseStatements(
  db: D1Database,
  { account, lane, now, leaseMs, room, onlyBound }: LeaseRequest,
  count: number,
  packFirst: 0 | 1,
): [D1PreparedStatement, D1PreparedStatement] {
  const leaseUntil = now + leaseMs;
  const of = { ...lane, ...laneScopes(account, lane), leaseUntil };
  return [
    SQL.LEASE.bind(db, {
      ...{ ...of, now, count, room, packFirst },
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

/** What fixes the calls that these rows of a lane make, in three statements. */
export async function packStatements(
  db: D1Database,
  { tenant, stream, context }: Lane,
  now: number,
  unpacked: readonly SQL.Unpacked[],
  limits: CallLimits,
): Promise<D1PreparedStatement[]> {
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
  return [
    SQL.PACK.bind(db, { ...lane, now, calls: JSON.stringify(values), batches, batchCount: rows.length }),
    SQL.LIST_PARTS.bind(db, { count: calls.length, lastKey }),
    SQL.UNLIST.bind(db, { ...lane, batches, lastKey }),
  ];
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
