/** The statements by which events are read back. */

const COLUMNS = `batches.id, batches.stream, batches.producer, batches.first, batches.idempotency_key,
  batches.own_id_field, batches.received_at, batches.times, batches.payload, hex(batches.entries) AS entries`;

/** The batch and entry that a ledger key leads to. ?1 hex key, ?2 tenant. */
export const BY_KEY = `SELECT ${COLUMNS}, keys.entry AS entry FROM keys CROSS JOIN batches ON batches.id = keys.batch
WHERE keys.key = unhex(?1) AND batches.tenant = ?2`;

/** The batch that holds a position. ?1 tenant, ?2 stream, ?3 producer, ?4 position. */
export const BY_POSITION = `SELECT ${COLUMNS}, ?4 - batches.first AS entry FROM batches
WHERE tenant = ?1 AND stream = ?2 AND producer = ?3 AND first <= ?4 ORDER BY first DESC LIMIT 1`;

/** Batches of a stream in their order. ?1 tenant, ?2 stream, ?3 from this id, ?4 producer or null, ?5 and ?6 received between, ?7 how many. */
export const OF_STREAM = `SELECT ${COLUMNS} FROM batches
WHERE tenant = ?1 AND stream = ?2 AND id >= ?3 AND replay_of IS NULL AND (?4 IS NULL OR producer = ?4)
  AND received_at >= ?5 AND received_at <= ?6 ORDER BY id LIMIT ?7`;

/** A tenant's streams. ?1 tenant. */
export const STREAMS = "SELECT DISTINCT stream FROM counters WHERE tenant = ?1 ORDER BY stream";

/** A producer's streams and the positions it took there last. ?1 tenant. */
export const LAST_POSITIONS = `SELECT stream, producer, max(last) AS last FROM ranges WHERE tenant = ?1
GROUP BY stream, producer`;

/** What quarantine holds of batches' events, the latest last. ?1 JSON array of batch ids. */
export const HELD = `SELECT quarantine.batch, quarantine.entry, quarantine.state, quarantine.event,
  quarantine.replay_batch, replay.payload AS replay
FROM json_each(?1) AS wanted CROSS JOIN quarantine ON quarantine.batch = wanted.value
LEFT JOIN batches AS replay ON replay.id = quarantine.replay_batch ORDER BY quarantine.id`;

/** The calls that carried batches, splits left out. ?1 JSON array of batch ids. */
export const CALLS = `SELECT shipment_parts.batch, shipments.id AS shipment, shipments.state, shipments.parts
FROM json_each(?1) AS wanted CROSS JOIN shipment_parts ON shipment_parts.batch = wanted.value
CROSS JOIN shipments ON shipments.id = shipment_parts.shipment`;

/** Attempts of calls. ?1 JSON array of shipment ids. */
export const ATTEMPTS = `SELECT shipment, attempt, at, duration_ms, status, verdict, message
FROM json_each(?1) AS wanted CROSS JOIN attempts ON attempts.shipment = wanted.value ORDER BY at, shipment, attempt`;
