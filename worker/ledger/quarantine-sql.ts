/** The statements of quarantine: a list, and two ways out of it that each take an entry once. */
import type { BatchRow, QuarantineRow } from "../database/rows.ts";
import { statement } from "../database/statement.ts";
import { CLAIMED, type Claim, type StreamOf } from "./filing-sql.ts";

/** As the list shows it. */
export type QuarantineItem = Omit<
  QuarantineRow,
  "tenant" | "producer" | "batch" | "entry" | "context" | "replay_batch"
>;

/** In order of their ids. */
export const LIST = statement<
  { tenant: string; state: QuarantineRow["state"]; after: number; count: number },
  QuarantineItem
>(`SELECT id, event_id, stream, event, reasons, upstream, created_at, state, settled_at, note
FROM quarantine WHERE tenant = :tenant AND state = :state AND id > :after ORDER BY id LIMIT :count`);

/** With what gave the event its identity, and when it was first received. */
export interface QuarantineEntry
  extends Pick<
      QuarantineRow,
      "id" | "event_id" | "stream" | "producer" | "event" | "context" | "batch" | "entry" | "state"
    >,
    Pick<BatchRow, "first" | "idempotency_key" | "received_at"> {
  /** When an agent on the way first received it, if it says so. */
  readonly reported_at: string | null;
  /** 1 where it counts as usage already: the upstream refused it, not Weir. */
  readonly has_fact: 0 | 1;
}

export const ENTRY = statement<{ id: number; tenant: string }, QuarantineEntry>(`SELECT quarantine.id,
  quarantine.event_id, quarantine.stream, quarantine.producer, quarantine.event,
  quarantine.context, quarantine.batch, quarantine.entry, quarantine.state,
  batches.first AS first, batches.idempotency_key AS idempotency_key, batches.received_at AS received_at,
  batches.times ->> ('$[' || quarantine.entry || ']') AS reported_at,
  EXISTS (SELECT 1 FROM fact_runs CROSS JOIN facts ON facts.tenant = fact_runs.tenant
    AND facts.id BETWEEN fact_runs.first AND fact_runs.last
    WHERE fact_runs.batch = quarantine.batch AND facts.entry = quarantine.entry AND facts.void = 0) AS has_fact
FROM quarantine CROSS JOIN batches ON batches.id = quarantine.batch
WHERE quarantine.id = :id AND quarantine.tenant = :tenant`);

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
    ownIdField: string | null;
    entries: Uint8Array;
    payload: string;
  }
>(`INSERT INTO batches
  (id, nonce, tenant, stream, producer, context, own_id_field, replay_of, received_at, entries, payload)
SELECT :claimId, :nonce, tenant, stream, nullif(producer, ''), context, :ownIdField, id, :now, :entries, :payload
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
  `UPDATE quarantine SET state = 'replayed', settled_at = :now, replay_batch = :claimId WHERE id = :id AND ${CLAIMED}`,
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
