/**
 * The statements that file a request, in the order they run inside one D1 transaction.
 *
 * A statement of `batch()` that matches nothing does not stop those after it. So the first one claims: it
 * inserts the request's first row only if the key is valid, the catalog stands and the positions are free.
 * Every later one works only if that very row (id and nonce) is there. Nothing claimed, nothing written.
 */
import { ENTRY_BYTES, HASH_BYTES } from "./entries.ts";

/** Numbered parameters: a statement's values are listed in this order. */
const BATCH_COLUMNS =
  "id, nonce, tenant, stream, producer, first, last, context, idempotency_key, own_id_field, received_at, times, entries, payload";

/** The key is still valid and the catalog unchanged. Parameters: key id, now, tenant, catalog version. */
function gate(key: string, now: string, tenant: string, version: string): string {
  return `EXISTS (SELECT 1 FROM api_keys WHERE id = ${key} AND revoked_at IS NULL
    AND (expires_at IS NULL OR expires_at > ${now}))
  AND coalesce((SELECT version FROM catalogs WHERE tenant = ${tenant}), 0) = ${version}`;
}

/**
 * ?1-?14 the columns, ?15 key id, ?16 now, ?17 catalog version, ?18 JSON array of [first, last] runs,
 * ?19 JSON array of reprocessing groups, of which none may be closed.
 * Batches of a producer never overlap, so of those that begin at or before a run's end only the last one can
 * reach into it: one seek a run, never a scan.
 */
export const CLAIM = `INSERT INTO batches (${BATCH_COLUMNS})
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14
WHERE ${gate("?15", "?16", "?3", "?17")}
  AND NOT EXISTS (SELECT 1 FROM json_each(?19) AS wanted CROSS JOIN reprocess_groups AS held
    ON held.tenant = ?3 AND held.reprocess_id = wanted.value WHERE held.closed = 1)
  AND NOT EXISTS (SELECT 1 FROM json_each(?18) AS run WHERE (
    SELECT last FROM batches WHERE tenant = ?3 AND stream = ?4 AND producer = ?5 AND first <= run.value ->> 1
    ORDER BY first DESC LIMIT 1) >= run.value ->> 0)`;

const CLAIMED = "EXISTS (SELECT 1 FROM batches WHERE id = ?1 AND nonce = ?2)";

/** ?1, ?2 the claim; ?3-?16 the columns. */
export const FURTHER_ROW = `INSERT INTO batches (${BATCH_COLUMNS})
SELECT ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16 WHERE ${CLAIMED}`;

/** ?3 tenant, ?4 JSON [[group, accepted, 1 if closed], …]. */
export const GROUPS = `INSERT INTO reprocess_groups (tenant, reprocess_id, accepted, closed)
SELECT ?3, value ->> 0, value ->> 1, value ->> 2 FROM json_each(?4) WHERE ${CLAIMED}
ON CONFLICT (tenant, reprocess_id) DO UPDATE SET
  accepted = accepted + excluded.accepted, closed = max(closed, excluded.closed)`;

/** Fails the whole transaction where a key is known. ?3 batch id, ?4 JSON array of hex keys by entry. */
export const KEYS = `INSERT INTO keys (key, batch, entry)
SELECT unhex(value), ?3, key FROM json_each(?4) WHERE value <> '' AND ${CLAIMED}`;

/** ?3 tenant, ?4 stream, ?5 batch id, ?6 context, ?7 entries, ?8 events, ?9 bytes. */
export const OUTBOX = `INSERT INTO outbox (tenant, stream, batch, context, entries, events, bytes)
SELECT ?3, ?4, ?5, ?6, ?7, ?8, ?9 WHERE ${CLAIMED}`;

/**
 * Adds a run of positions, grown together with the range that ends before it and the one that begins after.
 * ?3 tenant, ?4 stream, ?5 producer, ?6 first, ?7 last.
 */
export const RANGE = `INSERT INTO ranges (tenant, stream, producer, first, last)
SELECT ?3, ?4, ?5,
  coalesce((SELECT first FROM (SELECT first, last FROM ranges WHERE tenant = ?3 AND stream = ?4 AND producer = ?5
    AND first < ?6 ORDER BY first DESC LIMIT 1) WHERE last = ?6 - 1), ?6),
  coalesce((SELECT last FROM ranges WHERE tenant = ?3 AND stream = ?4 AND producer = ?5 AND first = ?7 + 1), ?7)
WHERE ${CLAIMED}
ON CONFLICT (tenant, stream, producer, first) DO UPDATE SET last = excluded.last`;

/** Drops the range that RANGE has grown into. ?3 tenant, ?4 stream, ?5 producer, ?6 last + 1. */
export const RANGE_ABSORBED = `DELETE FROM ranges
WHERE tenant = ?3 AND stream = ?4 AND producer = ?5 AND first = ?6 AND ${CLAIMED}`;

/** ?3 tenant, ?4 stream, ?5 producer, ?6 context, ?7 now, ?8 JSON [[batch, entry, event id, event, reasons], …]. */
export const QUARANTINE = `INSERT INTO quarantine
  (tenant, stream, producer, batch, entry, event_id, event, context, reasons, created_at, state)
SELECT ?3, ?4, ?5, value ->> 0, value ->> 1, value ->> 2, value ->> 3, ?6, value ->> 4, ?7, 'open'
FROM json_each(?8) WHERE ${CLAIMED}`;

/** The parts of a digest added with carry: 32 bits a column, the lowest first. */
function digestSum(column: "digest" | "positions"): string {
  const sum = (i: number): string =>
    i === 0 ? `${column}0 + excluded.${column}0` : `${column}${i} + excluded.${column}${i} + ((${sum(i - 1)}) >> 32)`;
  return [0, 1, 2, 3].map((i) => `${column}${i} = (${sum(i)}) & 4294967295`).join(",\n  ");
}

const COUNTER_COLUMNS = `tenant, stream, producer, accepted, duplicates, conflicts, quarantined,
  digest0, digest1, digest2, digest3, positions0, positions1, positions2, positions3`;

const COUNT_UP = `ON CONFLICT (tenant, stream, producer) DO UPDATE SET
  accepted = accepted + excluded.accepted, duplicates = duplicates + excluded.duplicates,
  conflicts = conflicts + excluded.conflicts, quarantined = quarantined + excluded.quarantined,
  ${digestSum("digest")},
  ${digestSum("positions")}`;

/** ?1, ?2 the claim; ?3-?17 the columns. */
export const COUNT = `INSERT INTO counters (${COUNTER_COLUMNS})
SELECT ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17 WHERE ${CLAIMED}
${COUNT_UP}`;

/** For a request that brings nothing new: only counted. ?1-?15 the columns, ?16 key id, ?17 now, ?18 version. */
export const COUNT_ONLY = `INSERT INTO counters (${COUNTER_COLUMNS})
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15
WHERE ${gate("?16", "?17", "?1", "?18")}
${COUNT_UP}`;

/** Why a claim came to nothing. ?1 key id, ?2 now, ?3 tenant, ?4 batch id, ?5 nonce. */
export const STANDING = `SELECT
  EXISTS (SELECT 1 FROM api_keys WHERE id = ?1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2))
    AS key_valid,
  coalesce((SELECT version FROM catalogs WHERE tenant = ?3), 0) AS catalog_version,
  EXISTS (SELECT 1 FROM batches WHERE id = ?4 AND nonce = ?5) AS committed`;

/** Which groups are closed. ?1 tenant, ?2 JSON array of groups. */
export const CLOSED_GROUPS = `SELECT held.reprocess_id AS id FROM json_each(?2) AS wanted CROSS JOIN reprocess_groups AS held
ON held.tenant = ?1 AND held.reprocess_id = wanted.value WHERE held.closed = 1`;

const OVERLAPPING = `batches.tenant = ?1 AND batches.stream = ?2 AND batches.producer = ?3
  AND batches.first >= coalesce((SELECT first FROM batches WHERE tenant = ?1 AND stream = ?2 AND producer = ?3
    AND first <= ?4 ORDER BY first DESC LIMIT 1), ?4)
  AND batches.first <= ?5 AND batches.last >= ?4`;

/**
 * The content hashes at the positions a run covers, cut out of the rows that hold them.
 * ?1 tenant, ?2 stream, ?3 producer, ?4 first, ?5 last. Gives from, and hex of the entries from there on.
 */
export const TAKEN = `SELECT max(first, ?4) AS "from", hex(substr(entries, (max(first, ?4) - first) * ${ENTRY_BYTES} + 1,
    (min(last, ?5) - max(first, ?4) + 1) * ${ENTRY_BYTES})) AS entries
FROM batches WHERE ${OVERLAPPING}`;

/** Second hashes of events that were corrected in quarantine, by position. Parameters as for TAKEN. */
export const CORRECTED_POSITIONS = `SELECT batches.first + corrections.entry AS position, hex(corrections.hash) AS hash
FROM batches CROSS JOIN corrections ON corrections.batch = batches.id WHERE ${OVERLAPPING}`;

/** Content hashes of the keys that are known. ?1 JSON array of hex keys. */
export const KNOWN_KEYS = `SELECT wanted.value AS key,
  hex(substr(batches.entries, keys.entry * ${ENTRY_BYTES} + 1, ${HASH_BYTES})) AS hash
FROM json_each(?1) AS wanted CROSS JOIN keys ON keys.key = unhex(wanted.value)
CROSS JOIN batches ON batches.id = keys.batch`;

/** Second hashes of events that were corrected in quarantine, by key. ?1 JSON array of hex keys. */
export const CORRECTED_KEYS = `SELECT wanted.value AS key, hex(corrections.hash) AS hash
FROM json_each(?1) AS wanted CROSS JOIN keys ON keys.key = unhex(wanted.value)
CROSS JOIN corrections ON corrections.batch = keys.batch AND corrections.entry = keys.entry`;
