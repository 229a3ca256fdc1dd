/** The statements of retention: what may leave the database, and how it leaves. Each may run twice, or beside another's. */
import type { BatchRow } from "../database/rows.ts";
import { statement } from "../database/statement.ts";
import type { CallAttempt } from "../ledger/events-sql.ts";

/** How far retention has looked at the batches, by id. */
export const PROGRESS = statement<{ name: string }, { readonly mark: number }>(
  "SELECT mark FROM retention WHERE name = :name",
);

/** A batch that may leave, or not yet. */
export interface Looked {
  readonly id: number;
  readonly tenant: string;
  /** Bytes of its payload. */
  readonly octets: number;
  /** When the last of its events was delivered or discarded, milliseconds since 1970; null while one waits. */
  readonly settled: number | null;
}

const IN_OUTBOX = (batch: string) => `EXISTS (SELECT 1 FROM outbox WHERE outbox.tenant = ${batch}.tenant
    AND outbox.stream = ${batch}.stream AND outbox.context = ${batch}.context AND outbox.batch = ${batch}.id)`;
const IN_OPEN_CALL = (id: string) => `EXISTS (SELECT 1 FROM shipment_parts CROSS JOIN shipments
    ON shipments.id = shipment_parts.shipment WHERE shipment_parts.batch = ${id} AND shipments.state = 'open')`;
/** A person is to look at one of its events, or one that was sent again is not delivered yet. */
const IN_QUARANTINE = `EXISTS (SELECT 1 FROM quarantine LEFT JOIN batches AS replay ON replay.id = quarantine.replay_batch
    WHERE quarantine.batch = batches.id AND (quarantine.state = 'open'
      OR quarantine.state = 'replayed' AND (${IN_OPEN_CALL("replay.id")} OR ${IN_OUTBOX("replay")})))`;
const LAST_ATTEMPT = `(SELECT max(attempts.at) FROM shipment_parts CROSS JOIN attempts
    ON attempts.shipment = shipment_parts.shipment WHERE shipment_parts.batch = batches.id)`;
const LAST_SETTLED = "(SELECT max(settled_at) FROM quarantine WHERE quarantine.batch = batches.id)";

const LOOKED = `batches.id, batches.tenant, octet_length(batches.payload) AS octets,
  CASE WHEN ${IN_OUTBOX("batches")} OR ${IN_OPEN_CALL("batches.id")} OR ${IN_QUARANTINE} THEN NULL
    ELSE max(batches.received_at, coalesce(${LAST_ATTEMPT}, 0), coalesce(${LAST_SETTLED}, 0)) END AS settled`;

/** The next batches in the order of their ids. What sends an event again belongs to its entry in quarantine, and stays. */
export const LOOK = statement<{ after: number; before: number; count: number }, Looked>(
  `SELECT ${LOOKED} FROM batches WHERE batches.id > :after AND batches.id < :before AND batches.replay_of IS NULL
ORDER BY batches.id LIMIT :count`,
);

/** Those that could not leave when the mark passed them, and are due for another look. */
export const LOOK_AGAIN = statement<{ now: number; count: number }, Looked>(`SELECT ${LOOKED}
FROM retention_late CROSS JOIN batches ON batches.id = retention_late.batch
WHERE retention_late.look_at <= :now ORDER BY retention_late.look_at LIMIT :count`);

/** What of a batch goes to the archive. */
export type Leaving = Pick<
  BatchRow,
  "id" | "tenant" | "stream" | "producer" | "first" | "last" | "received_at" | "times" | "entries" | "payload"
>;

/** `batches`: JSON array of ids. */
export const LEAVING = statement<
  { batches: string },
  Leaving
>(`SELECT batches.id, batches.tenant, batches.stream, batches.producer, batches.first, batches.last, batches.received_at,
  batches.times, hex(batches.entries) AS entries, batches.payload
FROM json_each(:batches) AS wanted CROSS JOIN batches ON batches.id = wanted.value WHERE batches.pruned_at IS NULL`);

/** Attempts of one call that are kept with a batch, the latest. */
const ATTEMPTS_KEPT = 8;
/** Calls of fewer bytes say which entries of a batch they carried; larger ones are of many small batches. */
const PARTS_READ_BYTES = 4_096;

/** An attempt of a call that carried a batch. */
export type LeavingAttempt = CallAttempt & {
  readonly batch: number;
  /** JSON [[first entry, last entry], …]; null for all of the batch. */
  readonly spans: string | null;
};

/** `batches`: JSON array of ids. */
export const ATTEMPTS = statement<
  { batches: string },
  LeavingAttempt
>(`SELECT shipment_parts.batch, shipments.call_key, attempts.attempt, attempts.at, attempts.duration_ms, attempts.status,
  attempts.verdict, attempts.message, CASE WHEN octet_length(shipments.parts) < ${PARTS_READ_BYTES}
    THEN (SELECT json_group_array(json_array(part.value ->> 1, part.value ->> 2)) FROM json_each(shipments.parts) AS part
      WHERE part.value ->> 0 = shipment_parts.batch) END AS spans
FROM json_each(:batches) AS wanted CROSS JOIN shipment_parts ON shipment_parts.batch = wanted.value
CROSS JOIN shipments ON shipments.id = shipment_parts.shipment
CROSS JOIN attempts ON attempts.shipment = shipments.id AND attempts.attempt > shipments.attempts - ${ATTEMPTS_KEPT}
ORDER BY attempts.at, attempts.shipment, attempts.attempt`);

/**
 * Empties batches. What only its position makes known needs no entry either: it is one of a run. `leaving`: JSON
 * [[id, where in the archive or null], …].
 */
export const EMPTY = statement<{ now: number; leaving: string }>(`UPDATE batches SET payload = '', times = NULL,
  entries = CASE WHEN first IS NOT NULL AND own_id_field IS NULL AND idempotency_key IS NULL THEN x'' ELSE entries END,
  archive = (SELECT value ->> 1 FROM json_each(:leaving) WHERE value ->> 0 = batches.id), pruned_at = :now
WHERE id IN (SELECT value ->> 0 FROM json_each(:leaving)) AND pruned_at IS NULL`);

/** A call that was fixed before a time, with the bytes that its list of parts has. */
export interface OldCall {
  readonly id: number;
  readonly octets: number;
}

export const OLD_CALLS = statement<{ after: number; before: number; count: number }, OldCall>(
  `SELECT id, octet_length(parts) AS octets FROM shipments WHERE id > :after AND created_at < :before
ORDER BY id LIMIT :count`,
);

/** The calls of some batches. `batches`: JSON array of ids. */
export const CALLS_OF = statement<
  { batches: string; count: number },
  OldCall
>(`SELECT id, octet_length(parts) AS octets FROM shipments WHERE id IN (SELECT shipment_parts.shipment
  FROM json_each(:batches) AS wanted CROSS JOIN shipment_parts ON shipment_parts.batch = wanted.value)
ORDER BY id LIMIT :count`);

/** Of `calls`, JSON array of ids, those that are over: all that they carried has left. */
const OVER = `SELECT shipments.id FROM json_each(:calls) AS wanted CROSS JOIN shipments ON shipments.id = wanted.value
  WHERE shipments.state <> 'open' AND NOT EXISTS (SELECT 1 FROM json_each(shipments.parts) AS part
    CROSS JOIN batches ON batches.id = part.value ->> 0 WHERE batches.pruned_at IS NULL)`;

/** Before DROP_CALLS, which looks for the same. */
export const DROP_ATTEMPTS = statement<{ calls: string }>(`DELETE FROM attempts WHERE shipment IN (${OVER})`);

export const DROP_PARTS = statement<{ calls: string }>(`DELETE FROM shipment_parts WHERE (batch, shipment) IN
  (SELECT part.value ->> 0, over.id FROM shipments AS over CROSS JOIN json_each(over.parts) AS part WHERE over.id IN (${OVER}))`);

export const DROP_CALLS = statement<{ calls: string }>(`DELETE FROM shipments WHERE id IN (${OVER})`);

/** `late`: JSON [[batch, when to look again], …]. */
export const PUT_LATE = statement<{ late: string }>(`INSERT OR REPLACE INTO retention_late (batch, look_at)
SELECT value ->> 0, value ->> 1 FROM json_each(:late)`);

/** `batches`: JSON array of ids. */
export const DROP_LATE = statement<{ batches: string }>(
  "DELETE FROM retention_late WHERE batch IN (SELECT value FROM json_each(:batches))",
);

export const ADVANCE = statement<{
  name: string;
  mark: number;
}>(`INSERT INTO retention (name, mark) VALUES (:name, :mark)
ON CONFLICT (name) DO UPDATE SET mark = max(mark, excluded.mark)`);
