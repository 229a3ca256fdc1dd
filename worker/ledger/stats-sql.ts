/** The statements behind metrics and statistics: each is bounded, and seeks where the ledger may be long. */
import { ENTRY_BYTES, ENTRY_STATUS } from "./entries.ts";

/**
 * What stands in the ledger, a row a tenant and stream. What is pending is old by its oldest batch, whether that
 * waits in the outbox or in an open call; row ids are in order of time. ?1 how many rows.
 */
export const TOTALS = `WITH totals AS (
  SELECT tenant, stream, sum(accepted) AS accepted, sum(duplicates) AS duplicates, sum(conflicts) AS conflicts,
    sum(delivered) AS delivered, sum(quarantined) AS quarantined, sum(discarded) AS discarded
  FROM counters GROUP BY tenant, stream ORDER BY tenant, stream LIMIT ?1)
SELECT totals.*,
  (SELECT min(batch) FROM outbox WHERE outbox.tenant = totals.tenant AND outbox.stream = totals.stream) AS oldest_unpacked,
  (SELECT parts ->> '$[0][0]' FROM shipments WHERE state = 'open' AND shipments.tenant = totals.tenant
    AND shipments.stream = totals.stream ORDER BY id LIMIT 1) AS oldest_packed,
  (SELECT count(*) FROM shipments WHERE state = 'open' AND shipments.tenant = totals.tenant
    AND shipments.stream = totals.stream) AS open_shipments
FROM totals`;

/** Destinations and streams that wait. ?1 now, ?2 how many rows. */
export const HOLDS = "SELECT scope, until FROM holds WHERE until > ?1 ORDER BY scope LIMIT ?2";

/** A tenant's streams. ?1 tenant, ?2 one stream or null, ?3 how many rows. */
export const STREAMS = `SELECT DISTINCT stream FROM counters WHERE tenant = ?1 AND (?2 IS NULL OR stream = ?2)
ORDER BY stream LIMIT ?3`;

/**
 * Entries of a batch that were accepted with it. Only a numbered event with an identity of its own can be there
 * for its position alone; every other batch is as long as it looks.
 */
const ACCEPTED = `CASE WHEN first IS NULL OR (own_id_field IS NULL AND idempotency_key IS NULL)
  THEN length(entries) / ${ENTRY_BYTES}
  ELSE (WITH RECURSIVE entry (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM entry WHERE n < length(entries) / ${ENTRY_BYTES})
    SELECT count(*) FROM entry WHERE substr(entries, n * ${ENTRY_BYTES}, 1) <> x'0${ENTRY_STATUS.positionOnly}') END`;

/** Events accepted in each minute, the newest batches of a stream only. ?1 tenant, ?2 stream, ?3 from this id, ?4 received from, ?5 how many batches. */
export const MINUTES = `SELECT received_at / 60000 AS minute, sum(accepted) AS accepted, count(*) AS batches FROM (
  SELECT received_at, ${ACCEPTED} AS accepted FROM batches
  WHERE tenant = ?1 AND stream = ?2 AND id >= ?3 AND received_at >= ?4 AND replay_of IS NULL ORDER BY id DESC LIMIT ?5)
GROUP BY minute ORDER BY minute`;
