/** The statements of quarantine: a list, and two ways out of it that each take an entry once. */
import type { BatchRow, QuarantineRow } from "../database/rows.ts";
import { statement } from "../database/statement.ts";
import { ENTRY_BYTES, ORDINAL_AT } from "./entries.ts";
import { CLAIMED, type Claim, type StreamOf } from "./filing-sql.ts";

/** As the list shows it. */
export type QuarantineItem = Omit<
  QuarantineRow,
  "id" | "number" | "tenant" | "producer" | "batch" | "entry" | "replay_batch"
> &
  Numbered;

/** By its number an entry is known outside, by its row's id within. */
interface Numbered {
  readonly number: number;
}

/** What goes up next: the last correction of an entry that came back. */
const EVENT =
  "CASE quarantine.state WHEN 'open' THEN coalesce(replay.payload, quarantine.event) ELSE quarantine.event END";

/** In order of their numbers. */
export const LIST = statement<
  { tenant: string; state: QuarantineRow["state"]; after: number; count: number },
  QuarantineItem
>(`SELECT quarantine.number, event_id, quarantine.stream, ${EVENT} AS event, quarantine.context, reasons, upstream, created_at,
  state, settled_at, note, attempts
FROM quarantine LEFT JOIN batches AS replay ON replay.id = quarantine.replay_batch
WHERE quarantine.tenant = :tenant AND state = :state AND quarantine.number > :after ORDER BY quarantine.number LIMIT :count`);

/** Which open entries are meant; null for any. */
export interface MatchValues {
  readonly tenant: string;
  readonly after: number;
  readonly stream: string | null;
  readonly code: string | null;
  readonly context: string | null;
  /** Null for any; "" for none of that kind. */
  readonly entity: string | null;
  readonly org: string | null;
  readonly platform: string | null;
  readonly from: number;
  readonly to: number;
  /** JSON array of numbers. */
  readonly ids: string | null;
  /** Entries looked at. */
  readonly window: number;
}

const WINDOW_END = `(SELECT number FROM quarantine WHERE tenant = :tenant AND state = 'open' AND number > :after
  ORDER BY number LIMIT 1 OFFSET :window)`;

const idsMatch = (name: string) =>
  `(:${name} IS NULL OR coalesce(CASE WHEN context <> '' THEN context ->> '${name}' END, '') = :${name})`;

const MATCHING = `quarantine WHERE tenant = :tenant AND state = 'open' AND number > :after
  AND number < coalesce(${WINDOW_END}, ${Number.MAX_SAFE_INTEGER})
  AND (:stream IS NULL OR stream = :stream) AND (:context IS NULL OR context = :context)
  AND created_at >= :from AND created_at <= :to
  AND (:ids IS NULL OR number IN (SELECT value FROM json_each(:ids)))
  AND ${idsMatch("entity")} AND ${idsMatch("org")} AND ${idsMatch("platform")}
  AND (:code IS NULL OR EXISTS (SELECT 1 FROM json_each(reasons) AS found WHERE CAST(found.value ->> 'code' AS TEXT) = :code))`;

export interface MatchCount {
  /** How many match among the entries looked at. */
  readonly matching: number;
  /** The number of the entry behind them; null where all were looked at. */
  readonly beyond: number | null;
}

export const MATCH_COUNT = statement<MatchValues, MatchCount>(`SELECT
  (SELECT count(*) FROM ${MATCHING}) AS matching, ${WINDOW_END} AS beyond`);

export const MATCH = statement<MatchValues & { count: number }, Place & Numbered & { readonly id: number }>(
  `SELECT id, number, batch, entry FROM ${MATCHING} ORDER BY number LIMIT :count`,
);

/** With what gave the event its identity, and when it was first received. */
export interface QuarantineEntry
  extends Numbered,
    Pick<QuarantineRow, "id" | "event_id" | "stream" | "producer" | "event" | "context" | "batch" | "entry" | "state">,
    Pick<BatchRow, "first" | "idempotency_key" | "sent_ids" | "received_at"> {
  /** What its entry keeps of its identity, in hex. */
  readonly ordinal: string;
  /** When an agent on the way first received it, if it says so. */
  readonly reported_at: string | null;
  /** 1 where it counts as usage already: the upstream refused it, not Weir. */
  readonly has_fact: 0 | 1;
}

export const ENTRY = statement<
  { number: number; tenant: string },
  QuarantineEntry
>(`SELECT quarantine.id, quarantine.number,
  quarantine.event_id, quarantine.stream, quarantine.producer, ${EVENT} AS event,
  quarantine.context, quarantine.batch, quarantine.entry, quarantine.state,
  batches.first AS first, batches.idempotency_key AS idempotency_key, batches.sent_ids AS sent_ids, batches.received_at AS received_at,
  hex(substr(batches.entries, quarantine.entry * ${ENTRY_BYTES} + ${ORDINAL_AT} + 1, 4)) AS ordinal,
  batches.times ->> ('$[' || quarantine.entry || ']') AS reported_at,
  EXISTS (SELECT 1 FROM fact_runs CROSS JOIN facts ON facts.tenant = fact_runs.tenant
    AND facts.id BETWEEN fact_runs.first AND fact_runs.last
    WHERE fact_runs.batch = quarantine.batch AND facts.entry = quarantine.entry AND facts.void = 0) AS has_fact
FROM quarantine CROSS JOIN batches ON batches.id = quarantine.batch
LEFT JOIN batches AS replay ON replay.id = quarantine.replay_batch
WHERE quarantine.tenant = :tenant AND quarantine.number = :number`);

/** Where an event's identity is filed. */
interface Place {
  readonly batch: number;
  readonly entry: number;
}

/** Where a key, in hex, leads. */
export const KEY = statement<{ key: string }, Place>("SELECT batch, entry FROM keys WHERE key = unhex(:key)");

/** Claims a replay: the entry must still be open. */
export const REPLAY = statement<
  Claim & {
    id: number;
    tenant: string;
    now: number;
    context: string;
    ownIdField: string | null;
    entries: Uint8Array;
    payload: string;
  }
>(`INSERT INTO batches
  (id, nonce, tenant, stream, producer, context, own_id_field, replay_of, received_at, entries, payload)
SELECT :claimId, :nonce, tenant, stream, nullif(producer, ''), :context, :ownIdField, id, :now, :entries, :payload
FROM quarantine WHERE id = :id AND tenant = :tenant AND state = 'open'`);

/** Of the place where the event was filed first. `hash`: hex of the corrected content's. */
export const CORRECTION = statement<
  Claim & Place & { hash: string }
>(`INSERT OR IGNORE INTO corrections (batch, entry, hash)
SELECT :batch, :entry, unhex(:hash) WHERE ${CLAIMED}`);

/** Leads to where the event was filed first. Fails the transaction where the key is known. */
export const CORRECTED_KEY = statement<Claim & Place & { key: string }>(
  `INSERT INTO keys (key, batch, entry) SELECT unhex(:key), :batch, :entry WHERE ${CLAIMED}`,
);

export const COUNT_REPLAY = statement<Claim & StreamOf>(`UPDATE counters SET quarantined = quarantined - 1
WHERE tenant = :tenant AND stream = :stream AND producer = :producer AND ${CLAIMED}`);

export const MARK_REPLAYED = statement<Claim & { id: number; now: number }>(
  `UPDATE quarantine SET state = 'replayed', settled_at = :now, replay_batch = :claimId, attempts = attempts + 1
WHERE id = :id AND ${CLAIMED}`,
);

/** Before the entry is marked: the count looks whether it is open. */
export const COUNT_DISCARD = statement<{
  id: number;
  tenant: string;
}>(`UPDATE counters SET quarantined = quarantined - 1, discarded = discarded + 1
WHERE (tenant, stream, producer) = (SELECT tenant, stream, producer FROM quarantine
  WHERE id = :id AND tenant = :tenant AND state = 'open')`);

export const DISCARD = statement<{
  id: number;
  tenant: string;
  now: number;
  reason: string;
}>(`UPDATE quarantine SET state = 'discarded', settled_at = :now, note = :reason
WHERE id = :id AND tenant = :tenant AND state = 'open'`);
