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
/** How much is read at once. */
export interface ReadBound {
  /** Rows looked at. */
  readonly rowsMax: number;
  /** Of the rows given, each about its own weight in memory; beyond it only the one row that goes past. */
  readonly bytesMax: number;
}
/** A row of a bounded question: what it and all before it weigh. */
export interface Weighed {
  readonly total: number;
}

/** Gives the columns of the first rows that a question finds, up to a bound: no tenant's data may fill an instance. */
function bounded(columns: string, bytes: string, select: string): string {
  return `SELECT ${columns}, total FROM (SELECT *, ${bytes} AS bytes,
  sum(${bytes}) OVER (ROWS UNBOUNDED PRECEDING) AS total FROM (${select} LIMIT :rowsMax) AS found) AS found
WHERE total - bytes < :bytesMax`;
}

/** What a row weighs beside its texts. */
const ROW_BYTES = 200;
const FACT_BYTES = `(${ROW_BYTES} + length(context) + length(quantities))`;
const TOTAL_BYTES = `(${ROW_BYTES} + length(series) + coalesce(length(distinct_values), 0))`;
const FACT_COLUMNS = "subject, at, context, quantities";

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
export const TOTALS = statement<Wanted & ReadBound, TotalRow & Weighed>(
  bounded(
    "subject, day, series, sum, least, greatest, count, distinct_values",
    TOTAL_BYTES,
    `SELECT totals.subject, totals.day, totals.series, totals.sum,
  totals.least, totals.greatest, totals.count, CASE WHEN :isDistinct THEN totals.distinct_values END AS distinct_values
FROM json_each(:subjects) AS wanted CROSS JOIN day_totals AS totals ON totals.tenant = :tenant
  AND totals.subject = wanted.value AND totals.day BETWEEN :firstDay AND :lastDay
WHERE totals.day NOT IN (SELECT value FROM json_each(:cutDays) AS wanted_day)
  AND NOT EXISTS (SELECT 1 FROM dirty_days AS dirty
    WHERE dirty.tenant = :tenant AND dirty.subject = totals.subject AND dirty.day = totals.day)`,
  ),
);

/** The texts of long contexts. `hashes`: JSON array. */
export const CONTEXTS = statement<
  { tenant: string; hashes: string } & ReadBound,
  { readonly hash: string; readonly context: string } & Weighed
>(
  bounded(
    "hash, context",
    `(${ROW_BYTES} + length(context))`,
    `SELECT contexts.hash, contexts.context FROM json_each(:hashes) AS wanted
  CROSS JOIN usage_contexts AS contexts ON contexts.tenant = :tenant AND contexts.hash = wanted.value`,
  ),
);

/**
 * Folded facts of the days that are read event by event: those named, the dirty ones and, where distinct values are
 * asked for, those that have too many to keep.
 */
export const FACTS_OF_DAYS = statement<Wanted & ReadBound, ReadFact & Weighed>(`WITH wanted_days(subject, day) AS (
  SELECT wanted.value, part.value FROM json_each(:subjects) AS wanted CROSS JOIN json_each(:cutDays) AS part
  UNION SELECT wanted.value, dirty.day FROM json_each(:subjects) AS wanted CROSS JOIN dirty_days AS dirty
    ON dirty.tenant = :tenant AND dirty.subject = wanted.value AND dirty.day BETWEEN :firstDay AND :lastDay
  UNION SELECT wanted.value, totals.day FROM json_each(:subjects) AS wanted CROSS JOIN day_totals AS totals
    ON :isDistinct AND totals.tenant = :tenant AND totals.subject = wanted.value
    AND totals.day BETWEEN :firstDay AND :lastDay
    WHERE totals.distinct_values IS NULL)
${bounded(
  FACT_COLUMNS,
  FACT_BYTES,
  `SELECT ${FACT} FROM wanted_days AS part CROSS JOIN facts ON facts.tenant = :tenant AND facts.subject = part.subject
  AND facts.at >= part.day * 86400000 AND facts.at < (part.day + 1) * 86400000
WHERE facts.void = 0 AND facts.id <= ${FOLDED}`,
)}`);

/** Facts not folded yet. `subjects`: JSON array. */
export const UNFOLDED = statement<{ tenant: string; subjects: string } & ReadBound, ReadFact & Weighed>(
  bounded(
    FACT_COLUMNS,
    FACT_BYTES,
    `SELECT ${FACT} FROM facts
WHERE facts.tenant = :tenant AND facts.id > ${FOLDED} AND facts.void = 0
  AND +facts.subject IN (SELECT value FROM json_each(:subjects) AS wanted)`,
  ),
);

/** Whether an event is in the ledger. `key`: hex. */
export const FILED = statement<{ key: string }, { readonly filed: 1 }>(
  "SELECT 1 AS filed FROM keys WHERE key = unhex(:key)",
);

export const PROGRESS = statement<{ tenant: string }, Progress & { readonly aside_until: number }>(
  "SELECT folded, epoch, aside_until FROM usage_progress WHERE tenant = :tenant",
);

/** A page of facts, whose bytes are bounded whatever they hold. */
interface Page {
  readonly tenant: string;
  readonly count: number;
  /** In bytes and, for each quantity, what its totals may weigh. */
  readonly weightMax: number;
}
/** A fact of a page, and how many facts there are up to `count`: where it has less, it was cut for its weight. */
export type PagedFact = FoldFact & { readonly seen: number };

const QUANTITY_WEIGHT = 2_000;

/** @param ids selects id and fact_weight of the facts, in their order. @param order of the page. */
function page(ids: string, order: string): string {
  return `SELECT facts.id, facts.void, ${FACT}, found.seen FROM (SELECT id, fact_weight,
  sum(fact_weight) OVER (ROWS UNBOUNDED PRECEDING) AS total, count(*) OVER () AS seen FROM (${ids}) AS found) AS found
CROSS JOIN facts ON facts.tenant = :tenant AND facts.id = found.id
WHERE found.total - found.fact_weight < :weightMax ORDER BY ${order}`;
}

const FACT_WEIGHT = `length(facts.context) + length(facts.quantities)
  + ${QUANTITY_WEIGHT} * json_array_length(facts.quantities) AS fact_weight`;

/** The next facts to fold, voided ones too. */
export const NEXT_FACTS = statement<Page, PagedFact>(
  page(
    `SELECT facts.id, ${FACT_WEIGHT} FROM facts
  WHERE facts.tenant = :tenant AND facts.id > ${FOLDED} ORDER BY facts.id LIMIT :count`,
    "facts.id",
  ),
);

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
>(`UPDATE usage_progress SET nonce = :nonce, folded = :folded, epoch = :epoch, failures = 0, aside_until = 0, failure = NULL
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

/** `contexts`: JSON [[hash, context], …]. */
export const PUT_CONTEXTS = statement<Advance & { contexts: string }>(`INSERT OR IGNORE INTO usage_contexts
  (tenant, hash, context) SELECT :tenant, value ->> 0, value -> 1 FROM json_each(:contexts) WHERE ${ADVANCED}`);

export type SubjectDay = Pick<DirtyDayRow, "subject" | "day">;

/** Days to be made anew. */
export const DIRTY = statement<{ tenant: string; count: number }, SubjectDay>(
  "SELECT subject, day FROM dirty_days WHERE tenant = :tenant LIMIT :count",
);

/** A page of a day's live, folded facts: after a moment and id, before the day's end. */
export const FACTS_OF_DAY = statement<
  Page & { subject: string; afterAt: number; afterId: number; before: number },
  PagedFact
>(
  page(
    `SELECT facts.id, ${FACT_WEIGHT} FROM facts
  WHERE facts.tenant = :tenant AND facts.subject = :subject AND (facts.at, facts.id) > (:afterAt, :afterId)
    AND facts.at < :before AND facts.void = 0 AND facts.id <= ${FOLDED} ORDER BY facts.at, facts.id LIMIT :count`,
    "facts.at, facts.id",
  ),
);

const OF_DAY = `WHERE tenant = :tenant AND subject = :subject AND day = :day AND ${ADVANCED}`;

export const DROP_TOTALS = statement<Advance & SubjectDay>(`DELETE FROM day_totals ${OF_DAY}`);
export const CLEAN = statement<Advance & SubjectDay>(`DELETE FROM dirty_days ${OF_DAY}`);

/** A tenant's folding failed: it is left alone for a while. */
export const SET_ASIDE = statement<
  { tenant: string; failure: string; now: number; baseMs: number; maxMs: number },
  { readonly failures: number; readonly aside_until: number }
>(`INSERT INTO usage_progress (tenant, folded, epoch, nonce, failures, aside_until, failure)
VALUES (:tenant, 0, 0, '', 1, :now + :baseMs, :failure)
ON CONFLICT (tenant) DO UPDATE SET failures = failures + 1, failure = excluded.failure,
  aside_until = :now + min(:maxMs, :baseMs * (1 << min(failures, 20)))
RETURNING failures, aside_until`);

/** How many tenants' folding is set aside. */
export const ASIDE_COUNT = statement<Record<never, never>, { readonly tenants: number }>(
  "SELECT count(*) AS tenants FROM usage_progress WHERE failures > 0",
);

/** Tenants whose usage waits to be folded and is not set aside, each found by a few seeks. */
export const WAITING = statement<
  { now: number; count: number },
  { readonly tenant: string }
>(`WITH RECURSIVE tenants(tenant) AS (
  SELECT min(tenant) FROM facts WHERE tenant >= ''
  UNION ALL SELECT (SELECT min(tenant) FROM facts WHERE tenant > tenants.tenant) FROM tenants WHERE tenant IS NOT NULL)
SELECT tenant FROM tenants WHERE tenant IS NOT NULL
  AND coalesce((SELECT aside_until FROM usage_progress WHERE tenant = tenants.tenant), 0) <= :now
  AND ((SELECT id FROM facts WHERE tenant = tenants.tenant ORDER BY id DESC LIMIT 1)
      > coalesce((SELECT folded FROM usage_progress WHERE tenant = tenants.tenant), 0)
    OR EXISTS (SELECT 1 FROM dirty_days WHERE dirty_days.tenant = tenants.tenant)) LIMIT :count`);
