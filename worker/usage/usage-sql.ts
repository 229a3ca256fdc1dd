/** The statements by which usage is read for a calculation, folded into days and made anew. */
import type { DayTotalRow, DirtyDayRow, FactRow, ProgressRow } from "../database/rows.ts";
import { statement } from "../database/statement.ts";

/** A fact as it is read: its texts as they were written. */
export type ReadFact = Pick<FactRow, "subject" | "at" | "context" | "quantities">;
/** A fact to be folded. */
export type FoldFact = ReadFact & Pick<FactRow, "id" | "void">;
/** A row of day_totals; its distinct values null where there are too many, or none were asked for. */
export type TotalRow = Omit<DayTotalRow, "tenant">;
export type Progress = Pick<ProgressRow, "folded" | "epoch">;

const FOLDED = "coalesce((SELECT folded FROM usage_progress WHERE tenant = :tenant), 0)";
const FACT = "facts.subject, facts.at, facts.context, facts.quantities";

/** What a calculation asks for. */
interface Wanted {
  readonly tenant: string;
  /** JSON array. */
  readonly subjects: string;
  readonly firstDay: number;
  readonly lastDay: number;
  /** JSON array of the days that are read event by event. */
  readonly cutDays: string;
  /** 1 for distinct values. */
  readonly isDistinct: 0 | 1;
}

/** Days with totals. Of a day that is to be read event by event nothing is given; of one that is dirty neither. */
export const TOTALS = statement<Wanted, TotalRow>(`SELECT totals.subject, totals.day, totals.series, totals.sum,
  totals.least, totals.greatest, totals.count, CASE WHEN :isDistinct THEN totals.distinct_values END AS distinct_values
FROM json_each(:subjects) AS wanted CROSS JOIN day_totals AS totals ON totals.tenant = :tenant
  AND totals.subject = wanted.value AND totals.day BETWEEN :firstDay AND :lastDay
WHERE totals.day NOT IN (SELECT value FROM json_each(:cutDays) AS wanted_day)
  AND NOT EXISTS (SELECT 1 FROM dirty_days AS dirty
    WHERE dirty.tenant = :tenant AND dirty.subject = totals.subject AND dirty.day = totals.day)`);

/**
 * Folded facts of the days that are read event by event: those named, the dirty ones and, where distinct values are
 * asked for, those that have too many to keep.
 */
export const FACTS_OF_DAYS = statement<Wanted, ReadFact>(`WITH wanted_days(subject, day) AS (
  SELECT wanted.value, part.value FROM json_each(:subjects) AS wanted CROSS JOIN json_each(:cutDays) AS part
  UNION SELECT wanted.value, dirty.day FROM json_each(:subjects) AS wanted CROSS JOIN dirty_days AS dirty
    ON dirty.tenant = :tenant AND dirty.subject = wanted.value AND dirty.day BETWEEN :firstDay AND :lastDay
  UNION SELECT wanted.value, totals.day FROM json_each(:subjects) AS wanted CROSS JOIN day_totals AS totals
    ON :isDistinct AND totals.tenant = :tenant AND totals.subject = wanted.value
    AND totals.day BETWEEN :firstDay AND :lastDay
    WHERE totals.distinct_values IS NULL)
SELECT ${FACT} FROM wanted_days AS part CROSS JOIN facts ON facts.tenant = :tenant AND facts.subject = part.subject
  AND facts.at >= part.day * 86400000 AND facts.at < (part.day + 1) * 86400000
WHERE facts.void = 0 AND facts.id <= ${FOLDED}`);

/** Facts not folded yet. `subjects`: JSON array. */
export const UNFOLDED = statement<{ tenant: string; subjects: string }, ReadFact>(`SELECT ${FACT} FROM facts
WHERE facts.tenant = :tenant AND facts.id > ${FOLDED} AND facts.void = 0
  AND +facts.subject IN (SELECT value FROM json_each(:subjects) AS wanted)`);

/** Whether an event is in the ledger. `key`: hex. */
export const FILED = statement<{ key: string }, { readonly filed: 1 }>(
  "SELECT 1 AS filed FROM keys WHERE key = unhex(:key)",
);

export const PROGRESS = statement<{ tenant: string }, Progress>(
  "SELECT folded, epoch FROM usage_progress WHERE tenant = :tenant",
);

/** The next facts to fold, voided ones too. */
export const NEXT_FACTS = statement<
  { tenant: string; count: number },
  FoldFact
>(`SELECT facts.id, facts.void, ${FACT} FROM facts
WHERE facts.tenant = :tenant AND facts.id > ${FOLDED} ORDER BY facts.id LIMIT :count`);

/** Totals that slices grow. `places`: JSON [[subject, day, series], …]. */
export const TOTALS_OF = statement<
  { tenant: string; places: string },
  TotalRow
>(`SELECT totals.subject, totals.day, totals.series, totals.sum, totals.least,
  totals.greatest, totals.count, totals.distinct_values
FROM json_each(:places) AS wanted CROSS JOIN day_totals AS totals ON totals.tenant = :tenant
  AND totals.subject = wanted.value -> 0 AND totals.day = wanted.value ->> 1 AND totals.series = wanted.value -> 2`);

export const BEGIN = statement<{ tenant: string }>(
  "INSERT OR IGNORE INTO usage_progress (tenant, folded, epoch, nonce) VALUES (:tenant, 0, 0, '')",
);

/** The claim of a fold or a rebuild. */
interface Advance {
  readonly tenant: string;
  readonly nonce: string;
}

/** Claims a fold or a rebuild: nothing was folded, voided or rebuilt since its facts were read. */
export const ADVANCE = statement<
  Advance & { foldedBefore: number; epochBefore: number; folded: number; epoch: number }
>(`UPDATE usage_progress SET nonce = :nonce, folded = :folded, epoch = :epoch
WHERE tenant = :tenant AND folded = :foldedBefore AND epoch = :epochBefore`);

const ADVANCED = "EXISTS (SELECT 1 FROM usage_progress WHERE tenant = :tenant AND nonce = :nonce)";

/** `totals`: JSON [[subject, day, series, sum, least, greatest, count, distinct values], …]. */
export const PUT_TOTALS = statement<Advance & { totals: string }>(`INSERT INTO day_totals
  (tenant, subject, day, series, sum, least, greatest, count, distinct_values)
SELECT :tenant, value -> 0, value ->> 1, value -> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
  nullif(value -> 7, 'null')
FROM json_each(:totals) WHERE ${ADVANCED}
ON CONFLICT (tenant, subject, day, series) DO UPDATE SET sum = excluded.sum, least = excluded.least,
  greatest = excluded.greatest, count = excluded.count, distinct_values = excluded.distinct_values`);

export type SubjectDay = Pick<DirtyDayRow, "subject" | "day">;

/** Days to be made anew. */
export const DIRTY = statement<{ tenant: string; count: number }, SubjectDay>(
  "SELECT subject, day FROM dirty_days WHERE tenant = :tenant LIMIT :count",
);

/** A page of a day's live, folded facts: after a moment and id, before the day's end. */
export const FACTS_OF_DAY = statement<
  { tenant: string; subject: string; afterAt: number; afterId: number; before: number; count: number },
  FoldFact
>(`SELECT facts.id, facts.void, ${FACT} FROM facts
WHERE facts.tenant = :tenant AND facts.subject = :subject AND (facts.at, facts.id) > (:afterAt, :afterId)
  AND facts.at < :before AND facts.void = 0 AND facts.id <= ${FOLDED} ORDER BY facts.at, facts.id LIMIT :count`);

const OF_DAY = `WHERE tenant = :tenant AND subject = :subject AND day = :day AND ${ADVANCED}`;

export const DROP_TOTALS = statement<Advance & SubjectDay>(`DELETE FROM day_totals ${OF_DAY}`);
export const CLEAN = statement<Advance & SubjectDay>(`DELETE FROM dirty_days ${OF_DAY}`);

/** Tenants whose usage waits to be folded, each found by a few seeks. */
export const WAITING = statement<{ count: number }, { readonly tenant: string }>(`WITH RECURSIVE tenants(tenant) AS (
  SELECT min(tenant) FROM facts WHERE tenant >= ''
  UNION ALL SELECT (SELECT min(tenant) FROM facts WHERE tenant > tenants.tenant) FROM tenants WHERE tenant IS NOT NULL)
SELECT tenant FROM tenants WHERE tenant IS NOT NULL
  AND ((SELECT id FROM facts WHERE tenant = tenants.tenant ORDER BY id DESC LIMIT 1)
      > coalesce((SELECT folded FROM usage_progress WHERE tenant = tenants.tenant), 0)
    OR EXISTS (SELECT 1 FROM dirty_days WHERE dirty_days.tenant = tenants.tenant)) LIMIT :count`);
