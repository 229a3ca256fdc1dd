/**
 * The statements that file a request, in the order they run inside one D1 transaction.
 *
 * A statement of `batch()` that matches nothing does not stop those after it. So the first one claims: it
 * inserts the request's first row only if the key is valid, the catalog stands and the positions are free.
 * Every later one works only if that very row (id and nonce) is there. Nothing claimed, nothing written.
 */
import { CONTENT_HASH_BYTES } from "../../shared/identity.ts";
import { KEY_VALID } from "../database/key-gate.ts";
import type { OutboxRow } from "../database/rows.ts";
import type { batches, counters } from "../database/schema.ts";
import { statement } from "../database/statement.ts";
import { ENTRY_BYTES, entriesFrom } from "./entries.ts";

/** The first row of a request, by which its whole transaction is known. */
export interface Claim {
  readonly claimId: number;
  readonly nonce: string;
}

/** The transaction holds its claim. */
export const CLAIMED = "EXISTS (SELECT 1 FROM batches WHERE id = :claimId AND nonce = :nonce)";

/** Whose stream it is; the producer "" for events without one. */
export interface StreamOf {
  readonly tenant: string;
  readonly stream: string;
  readonly producer: string;
}

/** By which a producer's name is used: the key's lineage, and 1 where its own list covers the name. */
interface Ownership {
  readonly owner: string;
  readonly isListed: 0 | 1;
}

/** The name is the key's, or nobody's. Its owner stands in the row of counts that each request writes anyhow. */
const OWNED = `(:isListed = 1 OR coalesce((SELECT owner FROM counters
    WHERE tenant = :tenant AND stream = :stream AND producer = :producer), :owner) = :owner)`;

/** The key is still valid, the catalog unchanged and the producer's name its own. */
interface Gate extends Ownership {
  readonly tenant: string;
  readonly apiKeyId: string;
  readonly now: number;
  readonly catalogVersion: number;
}

const CATALOG_VERSION = "coalesce((SELECT version FROM catalogs WHERE tenant = :tenant), 0)";
const GATE = `${KEY_VALID} AND ${CATALOG_VERSION} = :catalogVersion AND ${OWNED}`;

/** A row of `batches`; its entries as `entryText` gives them: bytes are bound as a list of numbers, which is far longer. */
export type BatchColumns = Omit<
  typeof batches.$inferSelect,
  "entries" | "replayOf" | "seq" | "prunedAt" | "archive"
> & {
  readonly entries: string;
};

const BATCH_COLUMNS =
  "id, nonce, tenant, stream, producer, first, last, context, sent_ids, idempotency_key, own_id_field, received_at, times, entries, payload, seq";
/** Its seq is drawn here, where the transactions of a stream follow one another: no later commit gets a lower one. */
const BATCH_VALUES = `:id, :nonce, :tenant, :stream, :producer, :first, :last, :context, :sentIds, :idempotencyKey, :ownIdField, :receivedAt, :times, ${entriesFrom(":entries")}, :payload,
  max(:id, 1 + coalesce((SELECT max(seq) FROM batches WHERE tenant = :tenant AND stream = :stream AND replay_of IS NULL), 0))`;

/**
 * `runs`: JSON array of [first, last]. `groups`: JSON array of reprocessing groups, of which none may be closed.
 * Batches of a producer never overlap, so of those that begin at or before a run's end only the last one can
 * reach into it: one seek a run, never a scan.
 */
export const CLAIM = statement<
  BatchColumns & Gate & { runs: string; groups: string },
  { readonly id: number }
>(`INSERT INTO batches
  (${BATCH_COLUMNS})
SELECT ${BATCH_VALUES}
WHERE ${GATE}
  AND NOT EXISTS (SELECT 1 FROM json_each(:groups) AS wanted CROSS JOIN reprocess_groups AS held
    ON held.tenant = :tenant AND held.reprocess_id = wanted.value WHERE held.closed = 1)
  AND NOT EXISTS (SELECT 1 FROM json_each(:runs) AS run WHERE (
    SELECT last FROM batches WHERE tenant = :tenant AND stream = :stream AND producer = :producer
      AND first <= run.value ->> 1
    ORDER BY first DESC LIMIT 1) >= run.value ->> 0)
RETURNING id`);

export const FURTHER_ROW = statement<Claim & BatchColumns>(`INSERT INTO batches (${BATCH_COLUMNS})
SELECT ${BATCH_VALUES} WHERE ${CLAIMED}`);

/** What the rows of a request have in common. */
type CommonColumns = Omit<BatchColumns, "id" | "first" | "last" | "times" | "entries" | "payload">;

/** Many small rows of a request, in their order. `rows`: JSON [[id, first, last, times, entries, payload], …]. */
export const FURTHER_ROWS = statement<Claim & CommonColumns & { rows: string }>(`INSERT INTO batches (${BATCH_COLUMNS})
SELECT value ->> 0, :nonce, :tenant, :stream, :producer, value ->> 1, value ->> 2, :context, :sentIds, :idempotencyKey,
  :ownIdField, :receivedAt, value ->> 3, ${entriesFrom("value ->> 4")}, value ->> 5,
  max(value ->> 0, 1 + key + (SELECT max(seq) FROM batches WHERE tenant = :tenant AND stream = :stream AND replay_of IS NULL))
FROM json_each(:rows) WHERE ${CLAIMED}`);

/** `groups`: JSON [[group, accepted, 1 if closed], …]. */
export const GROUPS = statement<
  Claim & { tenant: string; groups: string }
>(`INSERT INTO reprocess_groups (tenant, reprocess_id, accepted, closed)
SELECT :tenant, value ->> 0, value ->> 1, value ->> 2 FROM json_each(:groups) WHERE ${CLAIMED}
ON CONFLICT (tenant, reprocess_id) DO UPDATE SET
  accepted = accepted + excluded.accepted, closed = max(closed, excluded.closed)`);

/**
 * Fails the whole transaction where a key is known. `keys`: JSON array of texts: the key, 32 hex digits; its entry, 7
 * digits; how many rows its row comes behind the first. Nothing nested: each member of an array within an array is made
 * from the text of that whole array.
 */
export const KEYS = statement<Claim & { keys: string }>(`INSERT INTO keys (key, batch, entry)
SELECT unhex(substr(value, 1, 32)), :claimId + substr(value, 40), 0 + substr(value, 33, 7) FROM json_each(:keys)
WHERE ${CLAIMED}`);

/** `rows`: JSON [[batch, entries, events, bytes], …]. */
export const OUTBOX = statement<
  Claim & Pick<OutboxRow, "tenant" | "stream" | "context"> & { rows: string }
>(`INSERT INTO outbox (tenant, stream, batch, context, entries, events, bytes)
SELECT :tenant, :stream, value ->> 0, :context, value ->> 1, value ->> 2, value ->> 3 FROM json_each(:rows)
WHERE ${CLAIMED}`);

/** A request's runs of positions: JSON [[first, last], …] in their order, and where the first begins and the last ends. */
export interface Runs {
  readonly runs: string;
  readonly from: number;
  readonly to: number;
}

const RANGES = "ranges WHERE tenant = :tenant AND stream = :stream AND producer = :producer";

/** The ranges that a request's runs may touch: the one before them, those among them, one that begins right behind. */
const TOUCHED = `SELECT first, last FROM (SELECT first, last FROM ${RANGES} AND first < :from ORDER BY first DESC LIMIT 1)
  UNION ALL SELECT first, last FROM ${RANGES} AND first BETWEEN :from AND :to + 1`;

/** What ends before each of some spans: the furthest that one before it reaches. */
const REACH = "max(last) OVER (ORDER BY first, last ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)";

/** Ranges and runs together, those numbered alike that become one. */
const JOINED = `(SELECT first, last, sum(reach IS NULL OR first > reach + 1)
    OVER (ORDER BY first, last ROWS UNBOUNDED PRECEDING) AS number
  FROM (SELECT first, last, ${REACH} AS reach
    FROM (SELECT value ->> 0 AS first, value ->> 1 AS last FROM json_each(:runs) UNION ALL ${TOUCHED})))`;

/** Adds runs of positions, grown together with the ranges that end before them and begin after. */
export const ADD_RANGES = statement<Claim & StreamOf & Runs>(`INSERT INTO ranges (tenant, stream, producer, first, last)
SELECT :tenant, :stream, :producer, min(first), max(last) FROM ${JOINED} WHERE ${CLAIMED} GROUP BY number
ON CONFLICT (tenant, stream, producer, first) DO UPDATE SET last = excluded.last WHERE last <> excluded.last`);

/** Drops the ranges that others have grown over. */
export const DROP_RANGES = statement<Claim & StreamOf & Omit<Runs, "runs">>(`DELETE FROM ${RANGES}
  AND first BETWEEN :from AND :to + 1 AND ${CLAIMED}
  AND first IN (SELECT first FROM (SELECT first, ${REACH} AS reach FROM (${TOUCHED})) WHERE reach >= first)`);

/** How many ranges more there are once a request's runs are added. */
const RANGES_MORE = `(SELECT coalesce(max(number), 0) FROM ${JOINED}) - (SELECT count(*) FROM (${TOUCHED}))`;

/** The number of a tenant's next entry in quarantine. */
export const NEXT_NUMBER = "(SELECT coalesce(max(of.number), 0) + 1 FROM quarantine AS of WHERE of.tenant = :tenant)";

/** `held`: JSON [[batch, entry, event id, event, reasons], …]. `event`: of the only one, where it is not there. */
export const QUARANTINE = statement<
  Claim & StreamOf & { context: string; now: number; held: string; event: string | null }
>(
  `INSERT INTO quarantine
  (tenant, number, stream, producer, batch, entry, event_id, event, context, reasons, created_at, state)
SELECT :tenant, ${NEXT_NUMBER} + json_each.key, :stream, :producer, value ->> 0, value ->> 1, value ->> 2, coalesce(:event, value ->> 3), :context, value ->> 4, :now, 'open'
FROM json_each(:held) WHERE ${CLAIMED}`,
);

/** The halves of a digest, 32 bits a column, added with carry. */
const ADD_DIGEST = `digest_low = (digest_low + excluded.digest_low) & 4294967295,
  digest_high = (digest_high + excluded.digest_high + ((digest_low + excluded.digest_low) >> 32)) & 4294967295,
  digested = digested + excluded.digested`;

/** Sums over ids, which nobody adds to any more. */
type OldDigests = `${"digest" | "positions"}${0 | 1 | 2 | 3}`;

/** What a request adds to a row of `counters`. */
export type CounterColumns = Omit<
  typeof counters.$inferSelect,
  "delivered" | "discarded" | "spans" | "owner" | OldDigests
> &
  Pick<Ownership, "owner">;

const counting = (
  spans: string,
) => `INSERT INTO counters (tenant, stream, producer, owner, accepted, duplicates, conflicts, quarantined,
  digest_high, digest_low, digested, spans)
SELECT :tenant, :stream, :producer, CASE WHEN :producer <> '' THEN :owner END, :accepted, :duplicates, :conflicts, :quarantined,
  :digestHigh, :digestLow, :digested, ${spans}`;

const COUNT_UP = `ON CONFLICT (tenant, stream, producer) DO UPDATE SET
  accepted = accepted + excluded.accepted, duplicates = duplicates + excluded.duplicates,
  owner = coalesce(owner, excluded.owner), conflicts = conflicts + excluded.conflicts, quarantined = quarantined + excluded.quarantined,
  spans = spans + excluded.spans,
  ${ADD_DIGEST}`;

/** For a request without positions. */
export const COUNT = statement<Claim & CounterColumns>(`${counting("0")} WHERE ${CLAIMED}
${COUNT_UP}`);

/** Before ADD_RANGES: the ranges are counted by what they are yet. */
export const COUNT_POSITIONS = statement<Claim & CounterColumns & Runs>(`${counting(RANGES_MORE)} WHERE ${CLAIMED}
${COUNT_UP}`);

/** For a request that brings nothing new: only counted. */
export const COUNT_ONLY = statement<CounterColumns & Gate, { readonly tenant: string }>(`${counting("0")} WHERE ${GATE}
${COUNT_UP} RETURNING tenant`);

export interface Standing {
  readonly key_valid: 0 | 1;
  readonly owned: 0 | 1;
  readonly catalog_version: number;
  /** The claim that is in the ledger. */
  readonly committed: number | null;
}

/** Why a claim came to nothing. `claims`: JSON array of the row ids by which the request was tried so far. */
export const STANDING = statement<
  Omit<Gate, "catalogVersion"> & { stream: string; producer: string; nonce: string; claims: string },
  Standing
>(`SELECT ${KEY_VALID} AS key_valid, ${OWNED} AS owned, ${CATALOG_VERSION} AS catalog_version,
  (SELECT batches.id FROM json_each(:claims) AS tried CROSS JOIN batches ON batches.id = tried.value
    WHERE batches.nonce = :nonce LIMIT 1) AS committed`);

/** Which groups are closed. `groups`: JSON array of groups. */
export const CLOSED_GROUPS = statement<
  { tenant: string; groups: string },
  { readonly id: string }
>(`SELECT held.reprocess_id AS id FROM json_each(:groups) AS wanted CROSS JOIN reprocess_groups AS held
ON held.tenant = :tenant AND held.reprocess_id = wanted.value WHERE held.closed = 1`);

/** A run of positions. */
interface Run {
  readonly tenant: string;
  readonly stream: string;
  readonly producer: string | null;
  readonly first: number;
  readonly last: number;
}

const OVERLAPPING = `batches.tenant = :tenant AND batches.stream = :stream AND batches.producer = :producer
  AND batches.first >= coalesce((SELECT first FROM batches WHERE tenant = :tenant AND stream = :stream
    AND producer = :producer AND first <= :first ORDER BY first DESC LIMIT 1), :first)
  AND batches.first <= :last AND batches.last >= :first`;

/** Whether a row's events went where `sentIds` says. */
const SAME_IDS = "coalesce(batches.sent_ids, batches.context) = :sentIds";

/** A row that holds some of a run's positions. */
export interface HeldRow {
  readonly first: number;
  readonly last: number;
  /** 1 where its payload has left the ledger. */
  readonly has_left: 0 | 1;
  /** 1 where its events went where the request's go. */
  readonly same_ids: 0 | 1;
  /** Hex. */
  readonly entries: string;
  readonly payload: string;
}

/** The rows that hold the positions of a run, with what is stored there. */
export const HELD_POSITIONS = statement<Run & { sentIds: string }, HeldRow>(
  `SELECT first, last, pruned_at IS NOT NULL AS has_left, ${SAME_IDS} AS same_ids, hex(entries) AS entries, payload
FROM batches WHERE ${OVERLAPPING}`,
);

/** Second hashes of events that were corrected in quarantine, by position. */
export const CORRECTED_POSITIONS = statement<
  Run & { sentIds: string },
  { readonly position: number; readonly hash: string }
>(
  `SELECT batches.first + corrections.entry AS position, hex(corrections.hash) AS hash
FROM batches CROSS JOIN corrections ON corrections.batch = batches.id
WHERE ${OVERLAPPING} AND ${SAME_IDS}`,
);

export interface KeyHash {
  readonly key: string;
  readonly hash: string;
}

/** Content hashes of the keys that are known. `keys`: JSON array of hex keys. */
export const KNOWN_KEYS = statement<{ keys: string }, KeyHash>(`SELECT wanted.value AS key,
  hex(substr(batches.entries, keys.entry * ${ENTRY_BYTES} + 1, ${CONTENT_HASH_BYTES})) AS hash
FROM json_each(:keys) AS wanted CROSS JOIN keys ON keys.key = unhex(wanted.value)
CROSS JOIN batches ON batches.id = keys.batch`);

/** Second hashes of events that were corrected in quarantine, by key. `keys`: JSON array of hex keys. */
export const CORRECTED_KEYS = statement<
  { keys: string },
  KeyHash
>(`SELECT wanted.value AS key, hex(corrections.hash) AS hash
FROM json_each(:keys) AS wanted CROSS JOIN keys ON keys.key = unhex(wanted.value)
CROSS JOIN corrections ON corrections.batch = keys.batch AND corrections.entry = keys.entry`);
