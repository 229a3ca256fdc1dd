/** The statements by which events are read back. */
import type { AttemptRow, BatchRow, QuarantineRow, ShipmentRow } from "../database/rows.ts";
import { statement } from "../database/statement.ts";
import { ENTRY_BYTES } from "./entries.ts";
import type { EventState } from "./stored-event.ts";

/** A batch as its events are read out of it. */
export type ReadBatch = Pick<
  BatchRow,
  | "id"
  | "stream"
  | "producer"
  | "first"
  | "last"
  | "nonce"
  | "sent_ids"
  | "idempotency_key"
  | "own_id_field"
  | "received_at"
  | "times"
  | "payload"
  | "entries"
  | "pruned_at"
  | "archive"
>;

const COLUMNS = `batches.id, batches.stream, batches.producer, batches.first, batches.last, batches.nonce, batches.sent_ids, batches.idempotency_key,
  batches.own_id_field, batches.received_at, batches.times, batches.payload, hex(batches.entries) AS entries,
  batches.pruned_at, batches.archive`;

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
export type BatchHead = Pick<BatchRow, "id" | "stream" | "seq"> & {
  /** How many entries it has. */
  readonly entries: number;
  /** Bytes of its payload. */
  readonly octets: number;
};

/** What a batch must be to be read; null for any. */
export interface HeadFilter {
  readonly tenant: string;
  readonly producer: string | null;
  /** It holds an event in this state, or one of which only reading on tells. */
  readonly state: EventState | null;
  /** Received between, milliseconds since 1970, ends inclusive. */
  readonly from: number;
  readonly to: number;
}

const HEAD_COLUMNS = `batches.id, batches.stream,
  coalesce(batches.last - batches.first + 1, length(batches.entries) / ${ENTRY_BYTES}) AS entries,
  octet_length(batches.payload) AS octets`;

const inQuarantine = (state: QuarantineRow["state"]) =>
  `EXISTS (SELECT 1 FROM quarantine WHERE quarantine.batch = batches.id AND quarantine.state = '${state}')`;
const inCall = (state: ShipmentRow["state"]) => `EXISTS (SELECT 1 FROM shipment_parts
    CROSS JOIN shipments ON shipments.id = shipment_parts.shipment
    WHERE shipment_parts.batch = batches.id AND shipments.state = '${state}')`;
const WAITS = `EXISTS (SELECT 1 FROM outbox WHERE outbox.tenant = batches.tenant AND outbox.stream = batches.stream
    AND outbox.context = batches.context AND outbox.batch = batches.id)`;

/** Of what has left, all was delivered or settled, and its calls may be gone. Said by the head of a row, not behind its payload. */
const HAS_LEFT = "octet_length(batches.payload) = 0";

const MATCHES = `(:producer IS NULL OR batches.producer = :producer) AND batches.received_at BETWEEN :from AND :to
  AND CASE coalesce(:state, '')
    WHEN 'quarantined' THEN ${inQuarantine("open")}
    WHEN 'discarded' THEN ${inQuarantine("discarded")}
    WHEN 'pending' THEN ${WAITS} OR ${inCall("open")} OR ${inQuarantine("replayed")}
    WHEN 'delivered' THEN ${HAS_LEFT} OR ${inCall("delivered")} OR ${inQuarantine("replayed")}
    ELSE 1 END`;

const OF_WANTED = `tenant = :tenant AND stream = wanted.value ->> 0 AND seq >= wanted.value ->> 1 AND replay_of IS NULL`;
/** What follows a window of a stream, sought in the index alone; null where nothing does. */
const BEYOND = `(SELECT seq FROM batches WHERE ${OF_WANTED} ORDER BY seq LIMIT 1 OFFSET :count)`;

/** Several streams' next batches, so many of each: `marks`, JSON [[stream, first seq], …]. */
interface Windows {
  readonly marks: string;
  readonly count: number;
}

/** Of the windows of several streams the batches that match. */
export const HEADS = statement<HeadFilter & Windows, BatchHead>(`SELECT ${HEAD_COLUMNS}, batches.seq
FROM json_each(:marks) AS wanted CROSS JOIN batches ON batches.tenant = :tenant
  AND batches.stream = wanted.value ->> 0 AND batches.seq >= wanted.value ->> 1
  AND batches.seq < coalesce(${BEYOND}, ${Number.MAX_SAFE_INTEGER})
WHERE batches.replay_of IS NULL AND ${MATCHES}`);

export interface Window {
  readonly stream: string;
  /** The seq that follows; null where nothing does. */
  readonly beyond: number | null;
  /** The stream's last seq; null where it has none. */
  readonly last: number | null;
  /** The least id in it, where it was asked for. */
  readonly earliest: number | null;
}

/** Where the same windows end. `withEarliest`: 1 to know when the earliest of each came. */
export const WINDOWS = statement<{ tenant: string; withEarliest: 0 | 1 } & Windows, Window>(`SELECT
  wanted.value ->> 0 AS stream, ${BEYOND} AS beyond,
  (SELECT max(seq) FROM batches WHERE tenant = :tenant AND stream = wanted.value ->> 0 AND replay_of IS NULL) AS last,
  CASE WHEN :withEarliest THEN (SELECT min(id) FROM (SELECT id FROM batches WHERE ${OF_WANTED} ORDER BY seq LIMIT :count)) END
    AS earliest
FROM json_each(:marks) AS wanted`);

/**
 * Of some batches those that match. `batches`: JSON array of ids. Its seq is read in the index, in which it stands at its
 * id or soon behind: in the row it is behind the payload.
 */
export const HEADS_BY_ID = statement<HeadFilter & { batches: string }, BatchHead>(`SELECT ${HEAD_COLUMNS},
  (SELECT placed.seq FROM batches AS placed INDEXED BY batches_seq WHERE placed.tenant = batches.tenant
    AND placed.stream = batches.stream AND placed.seq >= batches.id AND +placed.id = batches.id AND placed.replay_of IS NULL
    LIMIT 1) AS seq
FROM json_each(:batches) AS wanted CROSS JOIN batches ON batches.id = wanted.value
WHERE batches.tenant = :tenant AND batches.replay_of IS NULL AND ${MATCHES}`);

/** A batch that may hold what is asked for. */
export interface Candidate {
  readonly batch: number;
}

/** A producer's batches, those without a position too. `streams`: JSON array. */
export const OF_PRODUCER = statement<
  { tenant: string; streams: string; producer: string; count: number },
  Candidate
>(`SELECT batch FROM (SELECT batches.id AS batch FROM json_each(:streams) AS wanted CROSS JOIN batches
  ON batches.tenant = :tenant AND batches.stream = wanted.value AND batches.producer = :producer
  AND batches.first IS NOT NULL LIMIT :count) AS found
UNION ALL SELECT batch FROM (SELECT batches.id AS batch FROM json_each(:streams) AS wanted CROSS JOIN batches
  ON batches.tenant = :tenant AND batches.stream = wanted.value AND batches.producer = :producer
  AND batches.first IS NULL AND batches.producer IS NOT NULL AND batches.replay_of IS NULL LIMIT :count) AS found`);

/** A replay's events are filed where the event came first. */
const origin = (batch: string) => `coalesce((SELECT held.batch FROM batches AS replay
    CROSS JOIN quarantine AS held ON held.id = replay.replay_of WHERE replay.id = ${batch}), ${batch}) AS batch`;

/** Batches that wait: for a call, or in one. */
export const PENDING = statement<{ tenant: string; streams: string; count: number }, Candidate>(`SELECT batch FROM (
  SELECT ${origin("outbox.batch")} FROM json_each(:streams) AS wanted CROSS JOIN outbox
  ON outbox.tenant = :tenant AND outbox.stream = wanted.value LIMIT :count) AS found
UNION ALL SELECT batch FROM (SELECT ${origin("part.value ->> 0")} FROM json_each(:streams) AS wanted CROSS JOIN shipments
  ON shipments.state = 'open' AND shipments.tenant = :tenant AND shipments.stream = wanted.value
  CROSS JOIN json_each(shipments.parts) AS part LIMIT :count) AS found`);

export const IN_QUARANTINE = statement<{ tenant: string; state: QuarantineRow["state"]; count: number }, Candidate>(
  "SELECT batch FROM quarantine WHERE tenant = :tenant AND state = :state ORDER BY number LIMIT :count",
);

/**
 * Where so much waits that not all of it was named: nothing of a stream that is older waits. 0 where that is not known,
 * null where nothing of it waits.
 */
export interface WaitsSince {
  readonly stream: string;
  readonly since: number | null;
}

/** Lanes of a stream, calls of it and replays of a tenant that are looked at for it. */
const LOOKED_AT_MAX = 1_000;
const LANE = "FROM outbox WHERE outbox.tenant = :tenant AND outbox.stream = wanted.value";
const REPLAYED = `(SELECT batch FROM quarantine WHERE tenant = :tenant AND state = 'replayed' LIMIT ${LOOKED_AT_MAX})`;
const orUnknown = (least: string) => `iif(count(*) >= ${LOOKED_AT_MAX}, 0, ${least})`;

/** `streams`: JSON array. */
export const WAITS_SINCE = statement<{ tenant: string; streams: string }, WaitsSince>(`SELECT stream,
  min(coalesce(unpacked, packed, replayed), coalesce(packed, unpacked, replayed), coalesce(replayed, unpacked, packed)) AS since
FROM (SELECT wanted.value AS stream,
  (WITH RECURSIVE found(context) AS (SELECT (SELECT min(context) ${LANE})
    UNION ALL SELECT (SELECT min(context) ${LANE} AND outbox.context > found.context)
      FROM found WHERE context IS NOT NULL LIMIT ${LOOKED_AT_MAX})
    SELECT ${orUnknown(`min((SELECT min(batch) ${LANE} AND outbox.context = found.context))`)} FROM found) AS unpacked,
  (SELECT ${orUnknown("min(first)")} FROM (SELECT parts ->> '$[0][0]' AS first FROM shipments WHERE state = 'open'
    AND tenant = :tenant AND stream = wanted.value LIMIT ${LOOKED_AT_MAX}) AS run) AS packed,
  (SELECT ${orUnknown("min(batch)")} FROM ${REPLAYED} AS run) AS replayed
FROM json_each(:streams) AS wanted) AS found`);

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

/** A call that carried parts of batches. */
export type CarryingCall = Pick<ShipmentRow, "state" | "parts"> & { readonly shipment: number };

/** The calls that carried any of some batches, each once. `batches`: JSON array of ids. */
export const CALLS = statement<{ batches: string }, CarryingCall>(`SELECT shipments.id AS shipment, shipments.state,
  shipments.parts
FROM shipments WHERE shipments.id IN (SELECT shipment_parts.shipment
  FROM json_each(:batches) AS wanted CROSS JOIN shipment_parts ON shipment_parts.batch = wanted.value)`);

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

/** Where a batch is that has left. */
export const ARCHIVED = statement<{ batch: number }, { readonly archive: string }>(
  "SELECT archive FROM batches WHERE id = :batch AND archive IS NOT NULL",
);

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
