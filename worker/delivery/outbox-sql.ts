/** The statements of delivery. Each change is gated so that it may run twice, or beside another instance's. */
import { ENTRY_BYTES } from "../ledger/entries.ts";

/** Batches of a stream that no call owns. ?1 tenant, ?2 stream, ?3 how many at most. */
export const UNPACKED = `SELECT batch, context, entries, events, bytes FROM outbox
WHERE tenant = ?1 AND stream = ?2 ORDER BY batch LIMIT ?3`;

/** What packing must know of batches beyond the outbox. ?1 JSON array of batch ids, ?2 1 for their payloads too. */
export const ENTRIES = `SELECT batches.id AS batch, hex(batches.entries) AS entries, length(payload) AS units,
  CASE WHEN ?2 AND batches.replay_of IS NULL THEN payload END AS payload
FROM json_each(?1) AS wanted CROSS JOIN batches ON batches.id = wanted.value`;

/**
 * Fixes calls, if all their batches are still unpacked. ?1 tenant, ?2 stream, ?3 now,
 * ?4 JSON [[context, call key, parts, events, reprocessing group, 1 if it closes it], …], ?5 JSON array of batch ids, ?6 their number.
 */
export const PACK = `INSERT INTO shipments
  (tenant, stream, context, call_key, parts, events, reprocess_id, closes, state, created_at)
SELECT ?1, ?2, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, 'open', ?3 FROM json_each(?4)
WHERE (SELECT count(*) FROM json_each(?5) AS wanted CROSS JOIN outbox
  ON outbox.tenant = ?1 AND outbox.stream = ?2 AND outbox.batch = wanted.value) = ?6`;

/**
 * Takes the packed batches out of the outbox, if that very packing stands: the newest shipment is its last.
 * ?3 JSON array of batch ids, ?4 the last shipment's call key.
 */
export const UNLIST = `DELETE FROM outbox WHERE tenant = ?1 AND stream = ?2
AND batch IN (SELECT value FROM json_each(?3))
AND (SELECT call_key FROM shipments WHERE id = (SELECT max(id) FROM shipments)) = ?4`;

/** Lists the batches of the newest shipments, if their insert stands. ?1 how many, ?2 the last one's call key. */
export const LIST_PARTS = `INSERT OR IGNORE INTO shipment_parts (batch, shipment)
SELECT part.value ->> 0, shipments.id FROM shipments CROSS JOIN json_each(shipments.parts) AS part
WHERE shipments.id > (SELECT max(id) FROM shipments) - ?1
  AND (SELECT call_key FROM shipments WHERE id = (SELECT max(id) FROM shipments)) = ?2`;

/** An item that closes its reprocessing group goes up once all the others of the group are settled. */
const READY = `(closes = 0 OR EXISTS (SELECT 1 FROM reprocess_groups AS held WHERE held.tenant = shipments.tenant
  AND held.reprocess_id = shipments.reprocess_id AND held.settled >= held.accepted - 1))`;

/**
 * Takes the next due calls for this sender alone until the lease ends. A call found in flight was left by a
 * sender that died: what became of it is unknown.
 * ?1 tenant, ?2 stream, ?3 now, ?4 lease until, ?5 how many, ?6 and ?7 the scopes that may hold it.
 */
export const LEASE = `UPDATE shipments SET attempts = attempts + 1, outcome_unknown = max(outcome_unknown, in_flight),
  in_flight = 1, lease_until = ?4
WHERE id IN (SELECT id FROM shipments WHERE state = 'open' AND tenant = ?1 AND stream = ?2
    AND next_at <= ?3 AND lease_until <= ?3 AND ${READY} ORDER BY id LIMIT ?5)
  AND NOT EXISTS (SELECT 1 FROM holds WHERE scope IN (?6, ?7) AND until > ?3)
RETURNING id, context, call_key, parts, events, attempts, outcome_unknown`;

/**
 * What a call carries. ?1 JSON parts [[batch, from, to, events], …], ?2 1 for the entries of every part; else only
 * where one is not the whole batch.
 */
export const CARGO = `SELECT batches.id AS batch, coalesce(batches.producer, '') AS producer, batches.payload,
  batches.received_at, batches.times, CASE WHEN ?2 OR part.value ->> 1 > 0 OR part.value ->> 2 < length(batches.entries) / ${ENTRY_BYTES} - 1
    THEN hex(batches.entries) END AS entries
FROM json_each(?1) AS part CROSS JOIN batches ON batches.id = part.value ->> 0 ORDER BY part.key`;

/** One batch with what gives its events their identity; a replay's is that of the event it sends again. ?1 batch id. */
export const BATCH = `SELECT batches.producer, first, idempotency_key, own_id_field, payload, hex(entries) AS entries,
  origin.event_id AS origin_id, origin.batch AS origin_batch, origin.entry AS origin_entry
FROM batches LEFT JOIN quarantine AS origin ON origin.id = batches.replay_of WHERE batches.id = ?1`;

/** The lease of this very attempt still stands. */
const LEASED = "EXISTS (SELECT 1 FROM shipments WHERE id = ?1 AND attempts = ?2 AND state = 'open')";

/** ?3 at, ?4 duration, ?5 status, ?6 verdict, ?7 message. */
export const RECORD_ATTEMPT = `INSERT INTO attempts (shipment, attempt, at, duration_ms, status, verdict, message)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE ${LEASED}`;

/** ?3 tenant, ?4 stream, ?5 producer, ?6 delivered, ?7 quarantined. */
export const COUNT_OUTCOME = `UPDATE counters SET delivered = delivered + ?6, quarantined = quarantined + ?7
WHERE tenant = ?3 AND stream = ?4 AND producer = ?5 AND ${LEASED}`;

/** Counts an item of a reprocessing group as settled. ?3 tenant. */
export const SETTLE_GROUP = `UPDATE reprocess_groups SET settled = settled + 1
WHERE tenant = ?3 AND reprocess_id = (SELECT reprocess_id FROM shipments WHERE id = ?1) AND ${LEASED}`;

/** ?3 now, ?4 JSON [[tenant, stream, context, call key, parts, events], …]. */
export const ADD_CHILDREN = `INSERT INTO shipments (tenant, stream, context, call_key, parts, events, state, created_at)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, 'open', ?3
FROM json_each(?4) WHERE ${LEASED}`;

/** ?3 tenant, ?4 stream, ?5 producer, ?6 batch, ?7 entry, ?8 event id, ?9 event, ?10 context, ?11 reasons, ?12 upstream, ?13 now. */
export const ADD_QUARANTINED = `INSERT INTO quarantine
  (tenant, stream, producer, batch, entry, event_id, event, context, reasons, upstream, created_at, state)
SELECT ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 'open' WHERE ${LEASED}`;

/** Ends a call: the last statement of a settlement, since the others look for the lease. ?3 state. */
export const CLOSE = `UPDATE shipments SET state = ?3, in_flight = 0 WHERE id = ?1 AND attempts = ?2 AND state = 'open'`;

/** Puts a call back for later. ?3 next at, ?4 1 where this attempt's outcome is unknown. */
export const POSTPONE = `UPDATE shipments SET next_at = ?3, lease_until = 0, in_flight = 0,
  outcome_unknown = max(outcome_unknown, ?4) WHERE id = ?1 AND attempts = ?2 AND state = 'open'`;

/** ?1 scope, ?2 until, ?3 reason. A hold never gets shorter by a later one. */
export const HOLD = `INSERT INTO holds (scope, until, reason) VALUES (?1, ?2, ?3)
ON CONFLICT (scope) DO UPDATE SET until = max(until, excluded.until), reason = excluded.reason`;

/** Every tenant and stream with pending work in a table, found by one seek each. ?1 how many at most. */
function streamsOf(table: string, condition: string): string {
  const least = (column: string, where: string) =>
    `(SELECT min(${column}) FROM ${table} WHERE ${condition} AND ${where})`;
  return `WITH RECURSIVE tenants(tenant) AS (
  SELECT ${least("tenant", "tenant >= ''")}
  UNION ALL SELECT ${least("tenant", "tenant > tenants.tenant")} FROM tenants WHERE tenant IS NOT NULL LIMIT ?1),
found(tenant, stream) AS (
  SELECT tenant, ${least("stream", "tenant = tenants.tenant")} FROM tenants WHERE tenant IS NOT NULL
  UNION ALL SELECT tenant, ${least("stream", "tenant = found.tenant AND stream > found.stream")} FROM found
  WHERE stream IS NOT NULL LIMIT ?1)
SELECT tenant, stream FROM found WHERE stream IS NOT NULL`;
}

export const STREAMS_UNPACKED = streamsOf("outbox", "true");
export const STREAMS_OPEN = streamsOf("shipments", "state = 'open'");

/** When the next call of a stream is due, and until when it is held. ?1 tenant, ?2 stream, ?3, ?4 scopes. */
export const NEXT_DUE = `SELECT
  (SELECT min(max(next_at, lease_until)) FROM (SELECT next_at, lease_until FROM shipments
    WHERE state = 'open' AND tenant = ?1 AND stream = ?2 AND ${READY} ORDER BY id LIMIT 100)) AS due,
  (SELECT max(until) FROM holds WHERE scope IN (?3, ?4)) AS held`;
