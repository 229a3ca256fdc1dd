/** The statements behind metrics and statistics: each is bounded, and seeks where the ledger may be long. */
import type { CounterRow, HoldRow } from "../database/rows.ts";
import { statement } from "../database/statement.ts";
import { ENTRY_BYTES, ENTRY_STATUS } from "./entries.ts";

export type TotalsRow = Omit<CounterRow, "producer" | "spans" | `digest${number}` | `positions${number}`> & {
  readonly oldest_unpacked: number | null;
  readonly oldest_packed: number | null;
  readonly open_shipments: number;
};

const UNPACKED = "FROM outbox WHERE outbox.tenant = totals.tenant AND outbox.stream = totals.stream";

/** The oldest of each lane's by one seek, of 1,000 lanes at most. */
export const OLDEST_UNPACKED = `(WITH RECURSIVE found(context) AS (SELECT (SELECT min(context) ${UNPACKED})
    UNION ALL SELECT (SELECT min(context) ${UNPACKED} AND outbox.context > found.context)
      FROM found WHERE context IS NOT NULL LIMIT 1000)
  SELECT min((SELECT min(batch) ${UNPACKED} AND outbox.context = found.context)) FROM found)`;

/** Open calls of a stream that are looked at. */
const OPEN_MAX = 1_000;
const OPEN = `(SELECT id FROM shipments WHERE state = 'open' AND shipments.tenant = totals.tenant
    AND shipments.stream = totals.stream LIMIT ${OPEN_MAX}) AS run`;

/** The first batch of the oldest open call among those. */
export const OLDEST_PACKED = `(SELECT parts ->> '$[0][0]' FROM shipments WHERE id = (SELECT min(id) FROM ${OPEN}))`;

/**
 * What stands in the ledger, a row a tenant and stream; open calls are counted to a thousand. What is pending is old by its oldest batch, whether that
 * waits in the outbox or in an open call; row ids are in order of time.
 */
export const TOTALS = statement<{ count: number }, TotalsRow>(`WITH totals AS (
  SELECT tenant, stream, sum(accepted) AS accepted, sum(duplicates) AS duplicates, sum(conflicts) AS conflicts,
    sum(delivered) AS delivered, sum(quarantined) AS quarantined, sum(discarded) AS discarded
  FROM counters GROUP BY tenant, stream ORDER BY tenant, stream LIMIT :count)
SELECT totals.*,
  ${OLDEST_UNPACKED} AS oldest_unpacked,
  ${OLDEST_PACKED} AS oldest_packed,
  (SELECT count(*) FROM ${OPEN}) AS open_shipments
FROM totals`);

export type HoldUntil = Pick<HoldRow, "kind" | "vendor" | "destination" | "tenant" | "stream" | "context" | "until">;

/** What waits, in an order that stays. */
export const HOLDS = statement<
  { now: number; count: number },
  HoldUntil
>(`SELECT kind, vendor, destination, tenant, stream, context, until FROM holds
WHERE scope > '' AND until > :now ORDER BY scope LIMIT :count`);

/** A tenant's streams by one seek each, or the one that is named. */
export const STREAMS = statement<
  { tenant: string; stream: string | null; count: number },
  { readonly stream: string }
>(`WITH RECURSIVE found(stream) AS (
  SELECT min(stream) FROM counters WHERE tenant = :tenant AND stream >= coalesce(:stream, '')
  UNION ALL SELECT (SELECT min(stream) FROM counters WHERE tenant = :tenant AND stream > found.stream) FROM found
  WHERE found.stream IS NOT NULL AND :stream IS NULL LIMIT :count)
SELECT stream FROM found WHERE stream IS NOT NULL AND stream = coalesce(:stream, stream)`);

/**
 * Entries of a batch that were accepted with it. Only a numbered event with an identity of its own can be there
 * for its position alone; every other batch is as long as it looks.
 */
const ACCEPTED = `CASE WHEN first IS NULL OR (own_id_field IS NULL AND idempotency_key IS NULL)
  THEN coalesce(last - first + 1, length(entries) / ${ENTRY_BYTES})
  ELSE (WITH RECURSIVE entry (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM entry WHERE n < length(entries) / ${ENTRY_BYTES})
    SELECT count(*) FROM entry WHERE substr(entries, n * ${ENTRY_BYTES}, 1) <> x'0${ENTRY_STATUS.positionOnly}') END`;

export interface MinuteRow {
  /** Minutes since 1970. */
  readonly minute: number;
  readonly accepted: number;
  readonly batches: number;
}

/** Events accepted in each minute, the newest batches of a stream only: from a seq and a time of receipt on. */
export const MINUTES = statement<
  { tenant: string; stream: string; firstSeq: number; from: number; count: number },
  MinuteRow
>(`SELECT received_at / 60000 AS minute, sum(accepted) AS accepted, count(*) AS batches FROM (
  SELECT received_at, ${ACCEPTED} AS accepted FROM batches
  WHERE tenant = :tenant AND stream = :stream AND seq >= :firstSeq AND received_at >= :from AND replay_of IS NULL
  ORDER BY seq DESC LIMIT :count)
GROUP BY minute ORDER BY minute`);
