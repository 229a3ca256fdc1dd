/** The statements by which events are read back. */
import type { AttemptRow, BatchRow, QuarantineRow, ShipmentRow } from "../database/rows.ts";
import { statement } from "../database/statement.ts";
import { ENTRY_BYTES } from "./entries.ts";

/** A batch as its events are read out of it. */
export type ReadBatch = Pick<
  BatchRow,
  | "id"
  | "stream"
  | "producer"
  | "first"
  | "nonce"
  | "sent_ids"
  | "idempotency_key"
  | "own_id_field"
  | "received_at"
  | "times"
  | "payload"
  | "entries"
>;

const COLUMNS = `batches.id, batches.stream, batches.producer, batches.first, batches.nonce, batches.sent_ids, batches.idempotency_key,
  batches.own_id_field, batches.received_at, batches.times, batches.payload, hex(batches.entries) AS entries`;

/** The batch and entry that a ledger key, in hex, leads to. */
export const BY_KEY = statement<{ key: string; tenant: string }, ReadBatch & { readonly entry: number }>(
  `SELECT ${COLUMNS}, keys.entry AS entry FROM keys CROSS JOIN batches ON batches.id = keys.batch
WHERE keys.key = unhex(:key) AND batches.tenant = :tenant`,
);

/** The batch that holds a position, and the position's entry. */
export const BY_POSITION = statement<
  { tenant: string; stream: string; producer: string; position: number },
  ReadBatch & { readonly entry: number }
>(`SELECT ${COLUMNS}, :position - batches.first AS entry FROM batches
WHERE tenant = :tenant AND stream = :stream AND producer = :producer AND first <= :position ORDER BY first DESC LIMIT 1`);

/** A tenant's batch, and the entry that is asked for. */
export const BY_PLACE = statement<
  { tenant: string; batch: number; entry: number },
  ReadBatch & { readonly entry: number }
>(`SELECT ${COLUMNS}, :entry AS entry FROM batches WHERE id = :batch AND tenant = :tenant`);

/** A batch without what it holds. */
export type BatchHead = Pick<BatchRow, "id" | "stream" | "producer" | "received_at" | "seq"> & {
  /** How many entries it has. */
  readonly entries: number;
};

const HEAD_COLUMNS = `batches.id, batches.stream, batches.producer, batches.received_at, batches.seq,
  length(batches.entries) / ${ENTRY_BYTES} AS entries`;

/**
 * The next batches of several streams, so many of each at most. `marks`: JSON [[stream, first seq], …].
 * The end of a stream's share is sought in the index alone.
 */
export const HEADS = statement<{ tenant: string; marks: string; count: number }, BatchHead>(`SELECT ${HEAD_COLUMNS}
FROM json_each(:marks) AS wanted CROSS JOIN batches ON batches.tenant = :tenant
  AND batches.stream = wanted.value ->> 0 AND batches.seq >= wanted.value ->> 1
  AND batches.seq < coalesce((SELECT beyond.seq FROM batches AS beyond WHERE beyond.tenant = :tenant
    AND beyond.stream = wanted.value ->> 0 AND beyond.seq >= wanted.value ->> 1 AND beyond.replay_of IS NULL
    ORDER BY beyond.seq LIMIT 1 OFFSET :count), ${Number.MAX_SAFE_INTEGER})
WHERE batches.replay_of IS NULL`);

/** `batches`: JSON array of ids. */
export const HEADS_BY_ID = statement<{ tenant: string; batches: string }, BatchHead>(`SELECT ${HEAD_COLUMNS}
FROM json_each(:batches) AS wanted CROSS JOIN batches ON batches.id = wanted.value
WHERE batches.tenant = :tenant AND batches.replay_of IS NULL`);

/**
 * What batches hold. `batches`: JSON array of ids. With a text those are left out that cannot hold it: neither as it is
 * nor behind an escape, nor in quarantine.
 */
export const READ = statement<{ batches: string; text: string | null }, ReadBatch>(`SELECT ${COLUMNS}
FROM json_each(:batches) AS wanted CROSS JOIN batches ON batches.id = wanted.value
WHERE :text IS NULL OR instr(batches.payload, :text) > 0 OR instr(batches.payload, '\\') > 0
  OR EXISTS (SELECT 1 FROM quarantine WHERE quarantine.batch = batches.id)`);

/** A tenant's streams by one seek each, however many producers they have. */
export const STREAMS = statement<{ tenant: string; count: number }, { readonly stream: string }>(`WITH RECURSIVE
found(stream) AS (SELECT (SELECT min(stream) FROM counters WHERE tenant = :tenant)
  UNION ALL SELECT (SELECT min(stream) FROM counters WHERE tenant = :tenant AND stream > found.stream) FROM found
  WHERE stream IS NOT NULL LIMIT :count)
SELECT stream FROM found WHERE stream IS NOT NULL`);

/** Where ledger keys lead. `keys`: JSON array of hex keys. */
export const PLACES = statement<{ keys: string }, { readonly batch: number; readonly entry: number }>(
  `SELECT keys.batch, keys.entry FROM json_each(:keys) AS wanted CROSS JOIN keys ON keys.key = unhex(wanted.value)`,
);

/** What became of an event in quarantine, and its correction. */
export type HeldEvent = Pick<QuarantineRow, "batch" | "entry" | "event_id" | "state" | "event" | "replay_batch"> & {
  /** The payload by which it went up again. */
  readonly replay: string | null;
};

/** What quarantine holds of batches' events, the latest last. `batches`: JSON array of ids. */
export const HELD = statement<{ batches: string }, HeldEvent>(`SELECT quarantine.batch, quarantine.entry,
  quarantine.event_id, quarantine.state, quarantine.event, quarantine.replay_batch, replay.payload AS replay
FROM json_each(:batches) AS wanted CROSS JOIN quarantine ON quarantine.batch = wanted.value
LEFT JOIN batches AS replay ON replay.id = quarantine.replay_batch ORDER BY quarantine.id`);

/** A call that carried a part of a batch. */
export type CarryingCall = Pick<ShipmentRow, "state" | "parts"> & {
  readonly batch: number;
  readonly shipment: number;
};

/** The calls that carried batches, splits left out. `batches`: JSON array of ids. */
export const CALLS = statement<{ batches: string }, CarryingCall>(`SELECT shipment_parts.batch,
  shipments.id AS shipment, shipments.state, shipments.parts
FROM json_each(:batches) AS wanted CROSS JOIN shipment_parts ON shipment_parts.batch = wanted.value
CROSS JOIN shipments ON shipments.id = shipment_parts.shipment`);

/** An attempt by its call's own name: the row's id would tell how many calls others make. */
export type CallAttempt = Omit<AttemptRow, "shipment"> & Pick<ShipmentRow, "call_key">;

/** `shipments`: JSON array of ids. */
export const ATTEMPTS = statement<
  { shipments: string },
  CallAttempt
>(`SELECT call_key, attempt, at, duration_ms, status, verdict, message
FROM json_each(:shipments) AS wanted CROSS JOIN shipments ON shipments.id = wanted.value
CROSS JOIN attempts ON attempts.shipment = shipments.id
ORDER BY at, shipment, attempt`);

const NAMING = "batches WHERE tenant = :tenant AND stream = :stream AND sent_ids > ''";

/** The different ids that a stream's requests named: one seek of `batches_sent_ids` each. */
export const SENT_IDS = statement<
  { tenant: string; stream: string; count: number },
  { readonly ids: string }
>(`WITH RECURSIVE found(ids) AS (
  SELECT min(sent_ids) FROM ${NAMING}
  UNION ALL
  SELECT (SELECT min(sent_ids) FROM ${NAMING} AND sent_ids > found.ids) FROM found WHERE found.ids IS NOT NULL
  LIMIT :count)
SELECT ids FROM found WHERE ids IS NOT NULL`);
