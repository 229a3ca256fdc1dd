/** The statements of the event index: what of the ledger is not in it yet, how it grows, and where it is asked. */
import type { BatchRow } from "../database/rows.ts";
import { statement } from "../database/statement.ts";

/** The next stream of a tenant, and the next tenant: one seek each, however many producers there are. */
const NEXT_STREAM = `(SELECT min(stream) FROM counters WHERE tenant = found.tenant
    AND stream > coalesce(found.stream, ''))`;
const NEXT_TENANT = "(SELECT min(tenant) FROM counters WHERE tenant > found.tenant AND tenant <= :lastTenant)";

const MARK = `coalesce((SELECT seq FROM index_marks AS marked WHERE marked.tenant = found.tenant
  AND marked.stream = found.stream), 0)`;

export interface WaitingStream {
  readonly tenant: string;
  readonly stream: string;
  /** Up to which `seq` it is in the index. */
  readonly mark: number;
}

/** Streams with batches that are not in the index, behind a tenant's stream. `visits`: streams and tenants looked at. */
export const WAITING = statement<
  { tenant: string; stream: string; lastTenant: string; visits: number; count: number },
  WaitingStream
>(`WITH RECURSIVE found(tenant, stream) AS (
  SELECT :tenant, :stream
  UNION ALL SELECT CASE WHEN ${NEXT_STREAM} IS NULL THEN ${NEXT_TENANT} ELSE found.tenant END, ${NEXT_STREAM}
    FROM found WHERE found.tenant IS NOT NULL LIMIT :visits)
SELECT found.tenant, found.stream, ${MARK} AS mark FROM found WHERE found.stream IS NOT NULL
  AND (SELECT newest.seq FROM batches AS newest WHERE newest.tenant = found.tenant AND newest.stream = found.stream
    AND newest.replay_of IS NULL ORDER BY newest.seq DESC LIMIT 1) > ${MARK}
LIMIT :count`);

/** A batch as it is put into the index. */
export type WaitingBatch = Pick<BatchRow, "id" | "stream" | "producer" | "seq"> & {
  /** Positions of the events that nothing else may make known; null where there are none. */
  readonly first: number | null;
  readonly last: number | null;
  /** 1 where some of them may have an own id. */
  readonly own_ids: 0 | 1;
};

const HEAD = `batches.id, batches.stream, batches.producer, batches.seq, batches.last,
  CASE WHEN batches.idempotency_key IS NULL THEN batches.first END AS first, batches.own_id_field IS NOT NULL AS own_ids`;

const BEHIND = `beyond.tenant = :tenant AND beyond.stream = wanted.value ->> 0
    AND beyond.seq > wanted.value ->> 1 AND beyond.replay_of IS NULL`;

/** The next batches of streams behind their marks, so many of each. `marks`: JSON [[stream, seq], …]. */
export const NEXT = statement<{ tenant: string; marks: string; count: number }, WaitingBatch>(`SELECT ${HEAD}
FROM json_each(:marks) AS wanted CROSS JOIN batches ON batches.tenant = :tenant
  AND batches.stream = wanted.value ->> 0 AND batches.seq > wanted.value ->> 1
  AND batches.seq < coalesce((SELECT beyond.seq FROM batches AS beyond WHERE ${BEHIND}
    ORDER BY beyond.seq LIMIT 1 OFFSET :count), ${Number.MAX_SAFE_INTEGER})
WHERE batches.replay_of IS NULL`);

/** The newest batches of streams behind their marks, so many of each. `marks` as for NEXT. */
export const NEWEST = statement<{ tenant: string; marks: string; count: number }, WaitingBatch>(`SELECT ${HEAD}
FROM json_each(:marks) AS wanted CROSS JOIN batches ON batches.tenant = :tenant
  AND batches.stream = wanted.value ->> 0 AND batches.seq > wanted.value ->> 1
  AND batches.seq > coalesce((SELECT beyond.seq FROM batches AS beyond WHERE ${BEHIND}
    ORDER BY beyond.seq DESC LIMIT 1 OFFSET :count), 0)
WHERE batches.replay_of IS NULL`);

/** `batches`: JSON array of ids. */
export const ENTRIES = statement<
  { batches: string },
  Pick<BatchRow, "id" | "entries">
>(`SELECT batches.id, hex(batches.entries) AS entries
FROM json_each(:batches) AS wanted CROSS JOIN batches ON batches.id = wanted.value`);

export interface Progress {
  readonly version: number;
  readonly splits: string;
}

export const PROGRESS = statement<{ tenant: string }, Progress>(
  "SELECT version, splits FROM index_progress WHERE tenant = :tenant",
);

export const BEGIN = statement<{ tenant: string }>(
  "INSERT OR IGNORE INTO index_progress (tenant, version, nonce, splits) VALUES (:tenant, 0, '', '[]')",
);

/** Names a change of a tenant's index. */
interface Change {
  readonly tenant: string;
  readonly nonce: string;
}

/** Claims a change: nothing was changed since the index was read at `version`. */
export const ADVANCE = statement<Change & Progress>(`UPDATE index_progress
SET version = version + 1, nonce = :nonce, splits = :splits WHERE tenant = :tenant AND version = :version`);

const ADVANCED = "EXISTS (SELECT 1 FROM index_progress WHERE tenant = :tenant AND nonce = :nonce)";

/** `blocks`: JSON [[part, entries], …]. */
export const PUT_BLOCKS = statement<Change & { level: number; version: number; blocks: string }>(
  `INSERT INTO index_blocks (tenant, level, part, version, entries)
SELECT :tenant, :level, value ->> 0, :version, value ->> 1 FROM json_each(:blocks) WHERE ${ADVANCED}`,
);

/** `marks`: JSON [[stream, seq], …]. */
export const PUT_MARKS = statement<Change & { marks: string }>(`INSERT INTO index_marks (tenant, stream, seq)
SELECT :tenant, value ->> 0, value ->> 1 FROM json_each(:marks) WHERE ${ADVANCED}
ON CONFLICT (tenant, stream) DO UPDATE SET seq = excluded.seq`);

/** `versions`: JSON array. */
export const DROP_BLOCKS = statement<Change & { level: number; part: number; versions: string }>(
  `DELETE FROM index_blocks WHERE tenant = :tenant AND level = :level AND part = :part
  AND version IN (SELECT value FROM json_each(:versions)) AND ${ADVANCED}`,
);

/** The first of some parts that has so many blocks. */
export const FULL = statement<
  { tenant: string; level: number; first: number; last: number; blocks: number },
  { readonly part: number }
>(`SELECT part FROM index_blocks WHERE tenant = :tenant AND level = :level AND part BETWEEN :first AND :last
GROUP BY part HAVING count(*) >= :blocks ORDER BY part LIMIT 1`);

/** A part's oldest blocks. */
export const BLOCKS = statement<
  { tenant: string; level: number; part: number; count: number },
  { readonly version: number; readonly entries: string }
>(`SELECT version, entries FROM index_blocks WHERE tenant = :tenant AND level = :level AND part = :part
ORDER BY version LIMIT :count`);

/** Of each block that has an entry with some digits its text from there on. `parts`: JSON [[level, part], …]. */
export const FIND = statement<
  { tenant: string; parts: string; mark: string; length: number },
  { readonly found: string }
>(`SELECT substr(block.entries, instr(block.entries, :mark), :length) AS found
FROM json_each(:parts) AS wanted CROSS JOIN index_blocks AS block ON block.tenant = :tenant
  AND block.level = wanted.value ->> 0 AND block.part = wanted.value ->> 1
WHERE instr(block.entries, :mark) > 0`);

/** What gives events at places their ids. `places`: JSON [[batch, entry], …]. */
export const AT = statement<
  { tenant: string; places: string },
  {
    readonly batch: number;
    readonly entry: number;
    readonly stream: string;
    readonly producer: string;
    readonly first: number;
  }
>(`SELECT batches.id AS batch, wanted.value ->> 1 AS entry, batches.stream, batches.producer, batches.first
FROM json_each(:places) AS wanted CROSS JOIN batches ON batches.id = wanted.value ->> 0
WHERE batches.tenant = :tenant AND batches.producer IS NOT NULL AND batches.first IS NOT NULL`);
