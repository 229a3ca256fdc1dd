/** The statements by which events are read back. */
import type { AttemptRow, BatchRow, QuarantineRow, RangeRow, ShipmentRow } from "../database/rows.ts";
import { statement } from "../database/statement.ts";

/** A batch as its events are read out of it. */
export type ReadBatch = Pick<
  BatchRow,
  | "id"
  | "stream"
  | "producer"
  | "first"
  | "idempotency_key"
  | "own_id_field"
  | "received_at"
  | "times"
  | "payload"
  | "entries"
>;

const COLUMNS = `batches.id, batches.stream, batches.producer, batches.first, batches.idempotency_key,
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

/** Batches of a stream in their order, from an id on; received between, ends inclusive. */
export const OF_STREAM = statement<
  {
    tenant: string;
    stream: string;
    fromId: number;
    /** Null: of any, and of none. */
    producer: string | null;
    from: number;
    to: number;
    count: number;
  },
  ReadBatch
>(`SELECT ${COLUMNS} FROM batches
WHERE tenant = :tenant AND stream = :stream AND id >= :fromId AND replay_of IS NULL
  AND (:producer IS NULL OR producer = :producer)
  AND received_at >= :from AND received_at <= :to ORDER BY id LIMIT :count`);

export const STREAMS = statement<{ tenant: string }, { readonly stream: string }>(
  "SELECT DISTINCT stream FROM counters WHERE tenant = :tenant ORDER BY stream",
);

/** A producer's streams and the positions it took there last. */
export const LAST_POSITIONS = statement<{ tenant: string }, Pick<RangeRow, "stream" | "producer" | "last">>(
  `SELECT stream, producer, max(last) AS last FROM ranges WHERE tenant = :tenant
GROUP BY stream, producer`,
);

/** What became of an event in quarantine, and its correction. */
export type HeldEvent = Pick<QuarantineRow, "batch" | "entry" | "state" | "event" | "replay_batch"> & {
  /** The payload by which it went up again. */
  readonly replay: string | null;
};

/** What quarantine holds of batches' events, the latest last. `batches`: JSON array of ids. */
export const HELD = statement<{ batches: string }, HeldEvent>(`SELECT quarantine.batch, quarantine.entry,
  quarantine.state, quarantine.event, quarantine.replay_batch, replay.payload AS replay
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

/** `shipments`: JSON array of ids. */
export const ATTEMPTS = statement<
  { shipments: string },
  AttemptRow
>(`SELECT shipment, attempt, at, duration_ms, status, verdict, message
FROM json_each(:shipments) AS wanted CROSS JOIN attempts ON attempts.shipment = wanted.value
ORDER BY at, shipment, attempt`);
