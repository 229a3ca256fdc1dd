/**
 * Takes due calls for one sender, and fixes new ones where too few are due.
 *
 * A call is fixed, members and idempotency key, before its first attempt: a crash at any point leaves the very same
 * call to be sent again.
 */
import type { CallLimits } from "../../shared/vendors/vendor.ts";
import type { OutboxRow } from "../database/rows.ts";
import { describe } from "./described.ts";
import * as SQL from "./outbox-sql.ts";
import { packCalls } from "./pack.ts";
import { partsJson, partsOf, type Shipment, type StreamKey } from "./shipment.ts";

export interface LeaseRequest extends StreamKey {
  readonly now: number;
  readonly leaseMs: number;
  readonly count: number;
  /** Scopes whose holds stop this stream. */
  readonly scopes: readonly [destination: string, stream: string];
}

/** Batches read for one packing. */
const PACK_ROWS_MAX = 400;
/** Calls fixed in one packing, about. */
const PACK_CALLS_MAX = 200;

/** Up to `count` due calls, now this sender's until the lease ends. */
export async function lease(db: D1Database, request: LeaseRequest, limits: CallLimits): Promise<Shipment[]> {
  const { tenant, stream, count } = request;
  const [leased, waiting] = await db.batch([
    leaseStatement(db, request, count),
    SQL.UNPACKED.bind(db, { tenant, stream, count: PACK_ROWS_MAX }),
  ]);
  const calls = SQL.LEASE.rows(leased);
  const unpacked = SQL.UNPACKED.rows(waiting);
  if (calls.length < count && unpacked.length > 0) {
    const packing = await packStatements(db, request, unpacked, limits);
    const results = await db.batch([...packing, leaseStatement(db, request, count - calls.length)]);
    calls.push(...SQL.LEASE.rows(results.at(-1)));
  }
  return calls.map((call) => shipmentOf(call, request));
}

function leaseStatement(
  db: D1Database,
  { tenant, stream, now, leaseMs, scopes: [destinationScope, streamScope] }: LeaseRequest,
  count: number,
): D1PreparedStatement {
  const leaseUntil = now + leaseMs;
  return SQL.LEASE.bind(db, { tenant, stream, now, leaseUntil, count, destinationScope, streamScope });
}

function shipmentOf(call: SQL.LeasedCall, { tenant, stream }: StreamKey): Shipment {
  return {
    id: call.id,
    tenant,
    stream,
    context: call.context,
    callKey: call.call_key,
    parts: partsOf(call.parts),
    events: call.events,
    attempt: call.attempts,
    outcomeUnknown: call.outcome_unknown === 1,
  };
}

async function packStatements(
  db: D1Database,
  { tenant, stream, now }: LeaseRequest,
  unpacked: readonly SQL.Unpacked[],
  limits: CallLimits,
): Promise<D1PreparedStatement[]> {
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
    SQL.PACK.bind(db, { tenant, stream, now, calls: JSON.stringify(values), batches, batchCount: rows.length }),
    SQL.LIST_PARTS.bind(db, { count: calls.length, lastKey }),
    SQL.UNLIST.bind(db, { tenant, stream, batches, lastKey }),
  ];
}

/** As many rows as make a bounded number of calls; at least one. */
function someOf<Row extends Pick<OutboxRow, "events">>(rows: readonly Row[], limits: CallLimits): Row[] {
  const eventsMax = PACK_CALLS_MAX * limits.eventsMax;
  let events = 0;
  const end = rows.findIndex((row, i) => {
    events += row.events;
    return i > 0 && events > eventsMax;
  });
  return end < 0 ? [...rows] : rows.slice(0, end);
}
