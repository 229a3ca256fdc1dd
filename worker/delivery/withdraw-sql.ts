/** The statements that take waiting calls off the road into quarantine. A call that a sender holds is never taken. */
import type { QuarantineRow, ShipmentRow } from "../database/rows.ts";
import { statement } from "../database/statement.ts";
import { NEXT_NUMBER } from "../ledger/filing-sql.ts";
import type { ToldHold } from "./holds-sql.ts";
import { SENT_COLUMNS, type SentBatch, type Unpacked } from "./outbox-sql.ts";
import type { Lane, LaneScopes } from "./scopes.ts";

const IN_LANE = "tenant = :tenant AND stream = :stream AND context = :context";
const OPEN_IN_LANE = `state = 'open' AND ${IN_LANE}`;
const SCOPES = "scope IN (:destinationScope, :credentialsScope, :laneScope)";

/** Batches by their row ids, which are in order of time; a call counts where all of its batches do. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

const BATCH_IN_RANGE = "batch BETWEEN :from AND :to";
const CALL_IN_RANGE =
  "NOT EXISTS (SELECT 1 FROM json_each(parts) AS part WHERE part.value ->> 0 NOT BETWEEN :from AND :to)";

function streamsOf(name: string, table: string, condition: string): string {
  const least = (where: string) =>
    `(SELECT min(stream) FROM ${table} WHERE ${condition} AND tenant = :tenant AND ${where})`;
  return `${name}(stream) AS (SELECT ${least("stream >= ''")}
  UNION ALL SELECT ${least(`stream > ${name}.stream`)} FROM ${name} WHERE stream IS NOT NULL LIMIT :count)`;
}

/** A tenant's streams with pending work, found by one seek each. */
export const STREAMS = statement<
  { tenant: string; count: number },
  { readonly stream: string }
>(`WITH RECURSIVE ${streamsOf("packed", "shipments", "state = 'open'")},
${streamsOf("unpacked", "outbox", "true")}
SELECT stream FROM packed WHERE stream IS NOT NULL UNION SELECT stream FROM unpacked WHERE stream IS NOT NULL`);

/** Why a lane waits: its own reason before a wider one. */
export const REASON = statement<LaneScopes, Pick<ToldHold, "kind" | "status" | "reason">>(
  `SELECT kind, status, reason FROM holds WHERE ${SCOPES} ORDER BY kind <> 'lane' LIMIT 1`,
);

/** What of a lane no call owns, in one piece (`probing` 1: no more than makes one call). */
export const UNPACKED = statement<Lane & Range & { probing: 0 | 1; count: number }, Unpacked>(
  `SELECT batch, context, entries, events, bytes, :probing AS probing FROM outbox
WHERE ${IN_LANE} AND ${BATCH_IN_RANGE} ORDER BY batch LIMIT :count`,
);

export type TakenCall = Pick<ShipmentRow, "id" | "parts" | "events" | "attempts" | "outcome_unknown">;

/**
 * Takes calls that no sender holds, as a sender would, so that none does from now on. Nothing is sent: a crash after
 * it leaves the outcome as it was.
 */
export const TAKE = statement<
  Lane & Range & { now: number; leaseUntil: number; count: number },
  TakenCall
>(`UPDATE shipments SET attempts = attempts + 1, outcome_unknown = max(outcome_unknown, in_flight),
  in_flight = 0, lease_until = :leaseUntil
WHERE id IN (SELECT id FROM shipments WHERE ${OPEN_IN_LANE} AND lease_until <= :now AND ${CALL_IN_RANGE}
  ORDER BY id LIMIT :count)
RETURNING id, parts, events, attempts, outcome_unknown`);

/** What gives the events of batches their identity. `batches`: JSON array of ids. */
export const BATCHES = statement<
  { batches: string },
  SentBatch & { readonly id: number }
>(`SELECT batches.id, ${SENT_COLUMNS}
FROM json_each(:batches) AS wanted CROSS JOIN batches ON batches.id = wanted.value
LEFT JOIN quarantine AS origin ON origin.id = batches.replay_of`);

/** The calls of one withdrawal. `calls`: JSON [[shipment, attempt], …]. */
export interface Taken {
  readonly calls: string;
  readonly callCount: number;
}

/** They are all still this withdrawal's. */
const TAKEN = `(SELECT count(*) FROM json_each(:calls) AS wanted CROSS JOIN shipments ON shipments.id = wanted.value ->> 0
  WHERE shipments.attempts = wanted.value ->> 1 AND shipments.state = 'open') = :callCount`;

/** `held`: JSON [[producer, batch, entry, event id, null, event], …]; `event`: of a single one that is too large for that. */
export const ADD = statement<
  Taken & Lane & { held: string; event: string | null; reasons: string; upstream: string; now: number }
>(`INSERT INTO quarantine
  (tenant, number, stream, producer, batch, entry, event_id, event, context, reasons, upstream, created_at, state)
SELECT :tenant, ${NEXT_NUMBER} + json_each.key, :stream, value ->> 0, value ->> 1, value ->> 2, value ->> 3, coalesce(:event, value ->> 5), :context,
  :reasons, :upstream, :now, 'open'
FROM json_each(:held) WHERE ${TAKEN}`);

/** Opens entries again whose replay is what is taken: what they were corrected to is in that replay's batch. */
export const REOPEN = statement<
  Taken & Pick<QuarantineRow, "context" | "reasons" | "upstream"> & { origins: string }
>(`UPDATE quarantine SET state = 'open', context = :context, reasons = :reasons, upstream = :upstream,
  settled_at = NULL, note = NULL
WHERE id IN (SELECT value FROM json_each(:origins)) AND ${TAKEN}`);

export const COUNT = statement<
  Taken & { tenant: string; stream: string; producer: string; events: number }
>(`UPDATE counters SET quarantined = quarantined + :events
WHERE tenant = :tenant AND stream = :stream AND producer = :producer AND ${TAKEN}`);

/** Items of reprocessing groups are settled by it, as by any other way off the road. */
export const SETTLE_GROUPS = statement<Taken & { tenant: string }>(`UPDATE reprocess_groups
SET settled = settled + (SELECT count(*) FROM json_each(:calls) AS wanted CROSS JOIN shipments
  ON shipments.id = wanted.value ->> 0 WHERE shipments.reprocess_id = reprocess_groups.reprocess_id)
WHERE tenant = :tenant AND reprocess_id IN (SELECT shipments.reprocess_id FROM json_each(:calls) AS wanted
  CROSS JOIN shipments ON shipments.id = wanted.value ->> 0) AND ${TAKEN}`);

/** The last of them, since the others look whether the calls are open. */
export const CLOSE = statement<Taken>(`UPDATE shipments SET state = 'quarantined', in_flight = 0
WHERE id IN (SELECT wanted.value ->> 0 FROM json_each(:calls) AS wanted) AND ${TAKEN}`);

/** Events of a lane that still wait. */
export const REMAINING = statement<Lane & Range, { readonly events: number }>(`SELECT
  coalesce((SELECT sum(events) FROM outbox WHERE ${IN_LANE} AND ${BATCH_IN_RANGE}), 0)
  + coalesce((SELECT sum(events) FROM shipments WHERE ${OPEN_IN_LANE} AND ${CALL_IN_RANGE}), 0) AS events`);

/** A lane with nothing left waits for nothing. */
export const END_HOLD = statement<Lane & { laneScope: string }, ToldHold>(`DELETE FROM holds WHERE scope = :laneScope
  AND NOT EXISTS (SELECT 1 FROM outbox WHERE ${IN_LANE}) AND NOT EXISTS (SELECT 1 FROM shipments WHERE ${OPEN_IN_LANE})
RETURNING scope, kind, vendor, destination, tenant, stream, context, verdict, status, reason, since, until, attempts,
  probing_until, told`);
