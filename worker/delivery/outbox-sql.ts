/** The statements of delivery. Each change is gated so that it may run twice, or beside another instance's. */
import type { BatchRow, OutboxRow, QuarantineRow, ShipmentRow } from "../database/rows.ts";
import { statement } from "../database/statement.ts";
import { ENTRY_BYTES } from "../ledger/entries.ts";
import { NEXT_NUMBER } from "../ledger/filing-sql.ts";
import type { Lane, LaneScopes, StreamKey, StreamScopes } from "./scopes.ts";
import type { AttemptRecord, QuarantinedEvent } from "./shipment.ts";

const IN_LANE = "tenant = :tenant AND stream = :stream AND context = :context";
const OPEN_IN_LANE = `state = 'open' AND ${IN_LANE}`;

const SCOPES = "scope IN (:destinationScope, :credentialsScope, :laneScope)";
/** A lane waits: for itself or what is wider, or because another call tries right now whether it still must. */
const HELD = `EXISTS (SELECT 1 FROM holds WHERE ${SCOPES} AND (until > :now OR probing_until > :now))`;
/** Something held it that no call has got through since. */
const PROBING = `EXISTS (SELECT 1 FROM holds WHERE ${SCOPES})`;

/** Fixed calls that a lane has at most where trouble makes new ones: the one that failed, and one to tell whether others do. */
export const PROBE_CALLS_MAX = 2;

const FEW_FIXED = `(SELECT count(*) FROM (SELECT 1 FROM shipments WHERE ${OPEN_IN_LANE}
  LIMIT ${PROBE_CALLS_MAX})) < ${PROBE_CALLS_MAX}`;

export type Unpacked = Omit<OutboxRow, "tenant" | "stream"> & {
  /** 1 where only one call may be made of them. */
  readonly probing: 0 | 1;
  /** 1 where a fixed call of the lane is due that has no room now. */
  readonly has_large_due: 0 | 1;
};

/** An item that closes its reprocessing group goes up once all the others of the group are settled. */
const READY = `(closes = 0 OR EXISTS (SELECT 1 FROM reprocess_groups AS held WHERE held.tenant = shipments.tenant
  AND held.reprocess_id = shipments.reprocess_id AND held.settled >= held.accepted - 1))`;

/** What a call counts for whose size was never kept, in bytes. */
export const BYTES_UNKNOWN = 4_000_000;

/** An attempt is under way or its outcome is unknown: sent to another account the call might be counted twice. */
export const IN_DOUBT = "(in_flight = 1 OR outcome_unknown = 1)";
/** From before there were several accounts a call has none written on it. */
export const SENT_TO = "coalesce(destination, 'default')";

/** What goes to this account: calls not in doubt and its own in doubt, or (`onlyBound`) these alone. */
const MAY_GO = `(${SENT_TO} = :destination AND (:onlyBound = 0 OR ${IN_DOUBT}) OR :onlyBound = 0 AND NOT ${IN_DOUBT})`;

/** A fixed call is due. */
const ANY_DUE = `EXISTS (SELECT 1 FROM shipments WHERE ${OPEN_IN_LANE} AND next_at <= :now AND lease_until <= :now
  AND ${MAY_GO} AND ${READY}`;
/** One that fits: it goes before anything is packed. */
const FITTING_DUE = `${ANY_DUE} AND coalesce(bytes, ${BYTES_UNKNOWN}) <= :room)`;
/** One that needs more room than there is now: the lane is not done with what is packed. */
const LARGE_DUE = `${ANY_DUE} AND coalesce(bytes, ${BYTES_UNKNOWN}) > :room)`;

/**
 * Batches of a lane that no call owns. While it waits there are none: what comes in meanwhile leaves in few full
 * calls, not in one for each request.
 */
export const UNPACKED = statement<
  Lane & LaneScopes & { now: number; count: number; room: number; destination: string; onlyBound: 0 | 1 },
  Unpacked
>(`SELECT batch, context, entries, events, bytes, ${PROBING} AS probing, ${LARGE_DUE} AS has_large_due FROM outbox
WHERE ${IN_LANE} AND NOT ${HELD} AND CASE WHEN ${PROBING} THEN ${FEW_FIXED} ELSE NOT ${FITTING_DUE} END
ORDER BY batch LIMIT :count`);

export interface BatchEntries {
  readonly batch: number;
  readonly entries: string;
  /** UTF-16 units of the payload. */
  readonly units: number;
  readonly payload: string | null;
}

/** What packing must know of batches beyond the outbox. `batches`: JSON array of ids. */
export const ENTRIES = statement<{ batches: string; withPayload: 0 | 1 }, BatchEntries>(`SELECT batches.id AS batch,
  hex(batches.entries) AS entries, length(payload) AS units,
  CASE WHEN :withPayload AND batches.replay_of IS NULL THEN payload END AS payload
FROM json_each(:batches) AS wanted CROSS JOIN batches ON batches.id = wanted.value`);

/**
 * Fixes calls of a lane, if all their batches are still unpacked. `batches`: JSON array of ids.
 * `calls`: JSON [[call key, parts, events, bytes, reprocessing group, 1 if it closes it], …].
 */
export const PACK = statement<Lane & { now: number; calls: string; batches: string; batchCount: number }>(
  `INSERT INTO shipments
  (tenant, stream, context, call_key, parts, events, bytes, reprocess_id, closes, state, created_at)
SELECT :tenant, :stream, :context, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, 'open', :now
FROM json_each(:calls)
WHERE (SELECT count(*) FROM json_each(:batches) AS wanted CROSS JOIN outbox ON outbox.tenant = :tenant
  AND outbox.stream = :stream AND outbox.context = :context AND outbox.batch = wanted.value) = :batchCount`,
);

/** The newest shipment is the last of those that were just inserted. */
const INSERTED = "(SELECT call_key FROM shipments WHERE id = (SELECT max(id) FROM shipments)) = :lastKey";

/** Takes the packed batches out of the outbox, if that very packing stands. `batches`: JSON array of ids. */
export const UNLIST = statement<Lane & { batches: string; lastKey: string }>(`DELETE FROM outbox WHERE ${IN_LANE}
AND batch IN (SELECT value FROM json_each(:batches))
AND ${INSERTED}`);

/** Lists the batches of the newest shipments, if their insert stands. */
export const LIST_PARTS = statement<{
  count: number;
  lastKey: string;
}>(`INSERT OR IGNORE INTO shipment_parts (batch, shipment)
SELECT part.value ->> 0, shipments.id FROM shipments CROSS JOIN json_each(shipments.parts) AS part
WHERE shipments.id > (SELECT max(id) FROM shipments) - :count AND ${INSERTED}`);

export type LeasedCall = Pick<
  ShipmentRow,
  "id" | "call_key" | "parts" | "events" | "bytes" | "attempts" | "outcome_unknown"
> & {
  /** Failed attempts of its lane since the last that got through. */
  readonly lane_failures: number;
};

/** The least tried come first, so that a call which always fails is no gate to the others. */
const NEXT_CALLS = `SELECT id FROM shipments WHERE ${OPEN_IN_LANE} AND next_at <= :now AND lease_until <= :now
    AND coalesce(bytes, ${BYTES_UNKNOWN}) <= :room AND ${MAY_GO} AND ${READY} ORDER BY next_at, id`;

/**
 * Takes the next due call of a lane for this sender alone until the lease ends; none where a new one should be packed
 * to tell whether what held the lane still does (`packFirst`): the one that failed may be all that is wrong. A call found in flight was left by a sender that died: what became of it is unknown.
 */
export const LEASE = statement<
  Lane &
    LaneScopes & { now: number; leaseUntil: number; room: number; packFirst: 0 | 1 } & {
      destination: string;
      onlyBound: 0 | 1;
    },
  LeasedCall
>(`UPDATE shipments SET attempts = attempts + 1, outcome_unknown = max(outcome_unknown, in_flight),
  in_flight = 1, lease_until = :leaseUntil, destination = :destination
WHERE id = (${NEXT_CALLS} LIMIT 1) AND NOT ${HELD}
  AND NOT (:packFirst AND ${PROBING} AND EXISTS (SELECT 1 FROM outbox WHERE ${IN_LANE}) AND ${FEW_FIXED})
RETURNING id, call_key, parts, events, bytes, attempts, outcome_unknown,
  coalesce((SELECT attempts FROM holds WHERE scope = :laneScope), 0) AS lane_failures`);

/** Right after LEASE: what it took of a lane that was held is the one call that tries. */
export const PROBE = statement<
  Lane & LaneScopes & { leaseUntil: number; probingUntil: number }
>(`UPDATE holds SET probing_until = :probingUntil WHERE ${SCOPES}
  AND EXISTS (SELECT 1 FROM shipments WHERE ${OPEN_IN_LANE} AND in_flight = 1 AND lease_until = :leaseUntil)`);

type CargoRow = Pick<BatchRow, "payload" | "received_at" | "times"> & {
  /** "" for none. */
  readonly producer: string;
  readonly entries: string | null;
};

/** What a call carries. Without `withEntries` the entries only of a part that is not its whole batch. */
export const CARGO = statement<
  { parts: string; withEntries: 0 | 1 },
  CargoRow
>(`SELECT coalesce(batches.producer, '') AS producer, batches.payload, batches.received_at, batches.times,
  CASE WHEN :withEntries OR part.value ->> 1 > 0 OR part.value ->> 2 < length(batches.entries) / ${ENTRY_BYTES} - 1
    THEN hex(batches.entries) END AS entries
FROM json_each(:parts) AS part CROSS JOIN batches ON batches.id = part.value ->> 0 ORDER BY part.key`);

/** A batch with what gives its events their identity. */
export type SentBatch = Pick<
  BatchRow,
  "producer" | "first" | "nonce" | "sent_ids" | "idempotency_key" | "own_id_field" | "payload" | "entries"
> & {
  /** Of the event that this batch sends again from quarantine; null for any other batch. */
  readonly origin: number | null;
  readonly origin_id: string | null;
  readonly origin_batch: number | null;
  readonly origin_entry: number | null;
};

/** Of `batches`, and of `quarantine` as `origin`: what a {@link SentBatch} holds. */
export const SENT_COLUMNS = `batches.producer, first, nonce, sent_ids, idempotency_key, own_id_field, payload,
  hex(entries) AS entries, origin.id AS origin, origin.event_id AS origin_id, origin.batch AS origin_batch,
  origin.entry AS origin_entry`;

/** The identity of a replay is that of the event it sends again. */
export const BATCH = statement<{ id: number }, SentBatch>(`SELECT ${SENT_COLUMNS}
FROM batches LEFT JOIN quarantine AS origin ON origin.id = batches.replay_of WHERE batches.id = :id`);

/** By what a lease is known. */
export interface Lease {
  readonly shipment: number;
  readonly attempt: number;
}

/** One that was put back has no sender: a settlement that is written down again finds nothing to do. */
const OWN = "id = :shipment AND attempts = :attempt AND state = 'open' AND in_flight = 1";
/** The lease of this very attempt still stands. */
export const LEASED = `EXISTS (SELECT 1 FROM shipments WHERE ${OWN})`;

export const RECORD_ATTEMPT = statement<
  Lease & AttemptRecord
>(`INSERT INTO attempts (shipment, attempt, at, duration_ms, status, verdict, message)
SELECT :shipment, :attempt, :at, :durationMs, :status, :verdict, :message WHERE ${LEASED}`);

/** `perProducer`: JSON [[producer, events], …], each once. */
export const COUNT_DELIVERED = statement<Lease & StreamKey & { perProducer: string }>(`UPDATE counters
SET delivered = delivered + (SELECT value ->> 1 FROM json_each(:perProducer) WHERE value ->> 0 = counters.producer)
WHERE tenant = :tenant AND stream = :stream AND producer IN (SELECT value ->> 0 FROM json_each(:perProducer))
  AND ${LEASED}`);

export const COUNT_QUARANTINED = statement<
  Lease & StreamKey & { producer: string }
>(`UPDATE counters SET quarantined = quarantined + 1
WHERE tenant = :tenant AND stream = :stream AND producer = :producer AND ${LEASED}`);

/** Counts an item of a reprocessing group as settled. */
export const SETTLE_GROUP = statement<Lease & { tenant: string }>(`UPDATE reprocess_groups SET settled = settled + 1
WHERE tenant = :tenant AND reprocess_id = (SELECT reprocess_id FROM shipments WHERE id = :shipment) AND ${LEASED}`);

/** `children`: JSON [[tenant, stream, context, call key, parts, events, bytes], …]. */
export const ADD_CHILDREN = statement<
  Lease & { now: number; children: string }
>(`INSERT INTO shipments (tenant, stream, context, call_key, parts, events, bytes, state, created_at)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, 'open', :now
FROM json_each(:children) WHERE ${LEASED}`);

export const ADD_QUARANTINED = statement<
  Lease & StreamKey & Omit<QuarantinedEvent, "origin"> & Pick<QuarantineRow, "context"> & { now: number }
>(`INSERT INTO quarantine
  (tenant, number, stream, producer, batch, entry, event_id, event, context, reasons, upstream, created_at, state)
SELECT :tenant, ${NEXT_NUMBER}, :stream, :producer, :batch, :entry, :eventId, :event, :context, :reasons, :upstream, :now, 'open'
WHERE ${LEASED}`);

/** Opens the entry again of which a replay failed: what it was corrected to is in that replay's batch. */
export const REOPEN_QUARANTINED = statement<
  Lease & { origin: number } & Pick<QuarantineRow, "context" | "reasons" | "upstream">
>(`UPDATE quarantine SET state = 'open', context = :context, reasons = :reasons, upstream = :upstream,
  settled_at = NULL, note = NULL
WHERE quarantine.id = :origin AND ${LEASED}`);

/** Ends a call: the last statement of a settlement, since the others look for the lease. */
export const CLOSE = statement<Lease & Pick<ShipmentRow, "state">>(
  `UPDATE shipments SET state = :state, in_flight = 0 WHERE ${OWN}`,
);

/** Puts a call back for later. `outcomeUnknown`: 1 where this attempt's is. */
export const POSTPONE = statement<
  Lease & { nextAt: number; outcomeUnknown: 0 | 1 }
>(`UPDATE shipments SET next_at = :nextAt, lease_until = 0, in_flight = 0,
  outcome_unknown = max(outcome_unknown, :outcomeUnknown) WHERE ${OWN}`);

const STREAMS_SOUGHT_MAX = 20_000;

/**
 * Tenants and streams with pending work in a table, found by one seek each: of each tenant one before another's second,
 * and which ones by chance, so that what is stuck cannot keep the rest from being found.
 */
function streamsOf(table: string, condition: string): string {
  const least = (column: string, where: string) =>
    `(SELECT min(${column}) FROM ${table} WHERE ${condition} AND ${where})`;
  return `WITH RECURSIVE tenants(tenant) AS (
  SELECT ${least("tenant", "tenant >= ''")}
  UNION ALL SELECT ${least("tenant", "tenant > tenants.tenant")} FROM tenants WHERE tenant IS NOT NULL LIMIT ${STREAMS_SOUGHT_MAX}),
found(tenant, stream) AS (
  SELECT tenant, ${least("stream", "tenant = tenants.tenant")} FROM tenants WHERE tenant IS NOT NULL
  UNION ALL SELECT tenant, ${least("stream", "tenant = found.tenant AND stream > found.stream")} FROM found
  WHERE stream IS NOT NULL LIMIT ${STREAMS_SOUGHT_MAX})
SELECT tenant, stream FROM found WHERE stream IS NOT NULL
ORDER BY row_number() OVER (PARTITION BY tenant ORDER BY random()), random() LIMIT :count`;
}

export const STREAMS_UNPACKED = statement<{ count: number }, StreamKey>(streamsOf("outbox", "true"));
export const STREAMS_OPEN = statement<{ count: number }, StreamKey>(streamsOf("shipments", "state = 'open'"));

/** Each lane of a stream that has something in a table, found by one seek each. */
function contextsOf(name: string, table: string, condition: string): string {
  const least = (where: string) =>
    `(SELECT min(context) FROM ${table} WHERE ${condition} AND tenant = :tenant AND stream = :stream AND ${where})`;
  return `${name}(context) AS (SELECT ${least("context >= ''")}
  UNION ALL SELECT ${least(`context > ${name}.context`)} FROM ${name} WHERE context IS NOT NULL LIMIT :lanesMax)`;
}

export interface LaneStanding {
  readonly context: string;
  /** Until when it must wait; 0 where nothing holds it. */
  readonly held: number;
  /** 1 where something held it that no call has got through since; `troubled` where that is the lane's own. */
  readonly probing: 0 | 1;
  readonly troubled: 0 | 1;
  /** Where it need not wait: when its next fixed call is due; null where none is fixed. */
  readonly due: number | null;
  /** Likewise: how many are fixed, counted to the bound that trouble sets them. */
  readonly fixed: number;
  /** Likewise: 1 where batches of it wait to be packed. */
  readonly unpacked: 0 | 1;
  /** Likewise: another account than the stream's that calls in doubt went to; null for none. */
  readonly bound: string | null;
}

/** What stands of the lanes that `listed` names. Of one that must wait no call is looked at: it costs a seek or two. */
const STANDING = `lanes(context, held, probing, troubled) AS MATERIALIZED (SELECT context,
    coalesce((SELECT max(max(until, probing_until)) FROM holds
      WHERE scope IN (:destinationScope, :credentialsScope, :lanePrefix || listed.context)), 0),
    EXISTS (SELECT 1 FROM holds WHERE scope IN (:destinationScope, :credentialsScope, :lanePrefix || listed.context)),
    EXISTS (SELECT 1 FROM holds WHERE scope = :lanePrefix || listed.context)
  FROM listed)
SELECT context, held, probing, troubled,
  CASE WHEN held <= :now THEN (SELECT min(max(next_at, lease_until)) FROM (SELECT next_at, lease_until FROM shipments
    WHERE state = 'open' AND tenant = :tenant AND stream = :stream AND context = lanes.context AND ${READY}
    ORDER BY id LIMIT 100)) END AS due,
  CASE WHEN held <= :now THEN (SELECT count(*) FROM (SELECT 1 FROM shipments WHERE state = 'open'
    AND tenant = :tenant AND stream = :stream AND context = lanes.context LIMIT ${PROBE_CALLS_MAX})) ELSE 0 END AS fixed,
  held <= :now AND EXISTS (SELECT 1 FROM outbox
    WHERE tenant = :tenant AND stream = :stream AND context = lanes.context) AS unpacked,
  CASE WHEN held <= :now THEN (SELECT min(destination) FROM (SELECT ${SENT_TO} AS destination, in_flight, outcome_unknown
    FROM shipments WHERE state = 'open' AND tenant = :tenant AND stream = :stream AND context = lanes.context
    ORDER BY id LIMIT 100) WHERE destination <> :destination AND ${IN_DOUBT}) END AS bound
FROM lanes`;

/** The lanes of a stream with pending work, those first that may go first. */
export const LANES = statement<
  StreamKey & StreamScopes & { destination: string; now: number; lanesMax: number; count: number },
  LaneStanding
>(`WITH RECURSIVE ${contextsOf("packed", "shipments", "state = 'open'")},
${contextsOf("unpacked", "outbox", "true")},
listed(context) AS (SELECT context FROM packed WHERE context IS NOT NULL
  UNION SELECT context FROM unpacked WHERE context IS NOT NULL),
${STANDING} ORDER BY held, coalesce(due, 0) LIMIT :count`);

/** Lanes of a stream by their names, with pending work or without. `contexts`: JSON array. */
export const NAMED_LANES = statement<
  StreamKey & StreamScopes & { destination: string; now: number; contexts: string },
  LaneStanding
>(`WITH listed(context) AS (SELECT value FROM json_each(:contexts)), ${STANDING}`);
