/** The statements of quarantine: a list, and two ways out of it that each take an entry once. */

/** ?1 tenant, ?2 state, ?3 after this id, ?4 how many. */
export const LIST = `SELECT id, event_id, stream, event, reasons, upstream, created_at, state, settled_at, note
FROM quarantine WHERE tenant = ?1 AND state = ?2 AND id > ?3 ORDER BY id LIMIT ?4`;

/** ?1 id, ?2 tenant. */
export const ENTRY = `SELECT quarantine.id, quarantine.event_id, quarantine.stream, quarantine.producer, quarantine.event,
  quarantine.context, quarantine.batch, quarantine.entry, quarantine.state,
  batches.first AS first, batches.idempotency_key AS idempotency_key, batches.received_at AS received_at,
  batches.times ->> ('$[' || quarantine.entry || ']') AS told_at,
  EXISTS (SELECT 1 FROM fact_runs CROSS JOIN facts ON facts.tenant = fact_runs.tenant
    AND facts.id BETWEEN fact_runs.first AND fact_runs.last
    WHERE fact_runs.batch = quarantine.batch AND facts.entry = quarantine.entry AND facts.void = 0) AS has_fact
FROM quarantine CROSS JOIN batches ON batches.id = quarantine.batch
WHERE quarantine.id = ?1 AND quarantine.tenant = ?2`;

/** Where a key leads. ?1 hex key. */
export const KEY = "SELECT batch, entry FROM keys WHERE key = unhex(?1)";

/**
 * Claims a replay: the entry must still be open. ?1 batch id, ?2 nonce, ?3 quarantine id, ?4 tenant, ?5 now,
 * ?6 own id field, ?7 entries, ?8 payload.
 */
export const REPLAY = `INSERT INTO batches
  (id, nonce, tenant, stream, producer, context, own_id_field, replay_of, received_at, entries, payload)
SELECT ?1, ?2, tenant, stream, nullif(producer, ''), context, ?6, id, ?5, ?7, ?8
FROM quarantine WHERE id = ?3 AND tenant = ?4 AND state = 'open'`;

const CLAIMED = "EXISTS (SELECT 1 FROM batches WHERE id = ?1 AND nonce = ?2)";

/** ?3 original batch, ?4 its entry, ?5 hex of the corrected content's hash. */
export const CORRECTION = `INSERT OR IGNORE INTO corrections (batch, entry, hash)
SELECT ?3, ?4, unhex(?5) WHERE ${CLAIMED}`;

/** ?3 hex key, ?4 original batch, ?5 its entry. Fails the transaction where the key is known. */
export const CORRECTED_KEY = `INSERT INTO keys (key, batch, entry) SELECT unhex(?3), ?4, ?5 WHERE ${CLAIMED}`;

/** ?3 tenant, ?4 stream, ?5 producer. */
export const COUNT_REPLAY = `UPDATE counters SET quarantined = quarantined - 1
WHERE tenant = ?3 AND stream = ?4 AND producer = ?5 AND ${CLAIMED}`;

/** ?3 quarantine id, ?4 now. */
export const MARK_REPLAYED = `UPDATE quarantine SET state = 'replayed', settled_at = ?4, replay_batch = ?1 WHERE id = ?3 AND ${CLAIMED}`;

/** Before the entry is marked: the count looks whether it is open. ?1 id, ?2 tenant. */
export const COUNT_DISCARD = `UPDATE counters SET quarantined = quarantined - 1, discarded = discarded + 1
WHERE (tenant, stream, producer) = (SELECT tenant, stream, producer FROM quarantine
  WHERE id = ?1 AND tenant = ?2 AND state = 'open')`;

/** ?1 id, ?2 tenant, ?3 now, ?4 reason. */
export const DISCARD = `UPDATE quarantine SET state = 'discarded', settled_at = ?3, note = ?4
WHERE id = ?1 AND tenant = ?2 AND state = 'open'`;
