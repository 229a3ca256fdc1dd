/** The statements by which usage is read for a calculation, folded into days and made anew. */

const FOLDED = "coalesce((SELECT folded FROM usage_progress WHERE tenant = ?1), 0)";
const FACT = "facts.subject, facts.at, facts.context, facts.quantities";

/**
 * Days with totals. Of a day that is to be read event by event nothing is given; of one that is dirty neither.
 * ?1 tenant, ?2 JSON array of subjects, ?3 first and ?4 last day, ?5 JSON array of days left out, ?6 1 for distinct values.
 */
export const TOTALS = `SELECT totals.subject, totals.day, totals.series, totals.sum, totals.least, totals.greatest,
  totals.count, CASE WHEN ?6 THEN totals.distinct_values END AS distinct_values
FROM json_each(?2) AS wanted CROSS JOIN day_totals AS totals ON totals.tenant = ?1 AND totals.subject = wanted.value
  AND totals.day BETWEEN ?3 AND ?4
WHERE totals.day NOT IN (SELECT value FROM json_each(?5) AS wanted_day)
  AND NOT EXISTS (SELECT 1 FROM dirty_days AS dirty
    WHERE dirty.tenant = ?1 AND dirty.subject = totals.subject AND dirty.day = totals.day)`;

/**
 * Folded facts of the days that are read event by event: those named, the dirty ones and, where distinct values are
 * asked for, those that have too many to keep. Parameters as for TOTALS.
 */
export const FACTS_OF_DAYS = `WITH wanted_days(subject, day) AS (
  SELECT wanted.value, part.value FROM json_each(?2) AS wanted CROSS JOIN json_each(?5) AS part
  UNION SELECT wanted.value, dirty.day FROM json_each(?2) AS wanted CROSS JOIN dirty_days AS dirty
    ON dirty.tenant = ?1 AND dirty.subject = wanted.value AND dirty.day BETWEEN ?3 AND ?4
  UNION SELECT wanted.value, totals.day FROM json_each(?2) AS wanted CROSS JOIN day_totals AS totals
    ON ?6 AND totals.tenant = ?1 AND totals.subject = wanted.value AND totals.day BETWEEN ?3 AND ?4
    WHERE totals.distinct_values IS NULL)
SELECT ${FACT} FROM wanted_days AS part CROSS JOIN facts ON facts.tenant = ?1 AND facts.subject = part.subject
  AND facts.at >= part.day * 86400000 AND facts.at < (part.day + 1) * 86400000
WHERE facts.void = 0 AND facts.id <= ${FOLDED}`;

/** Facts not folded yet. ?1 tenant, ?2 JSON array of subjects. */
export const UNFOLDED = `SELECT ${FACT} FROM facts
WHERE facts.tenant = ?1 AND facts.id > ${FOLDED} AND facts.void = 0
  AND +facts.subject IN (SELECT value FROM json_each(?2) AS wanted)`;

/** ?1 tenant. */
export const PROGRESS = "SELECT folded, epoch FROM usage_progress WHERE tenant = ?1";

/** The next facts to fold, voided ones too. ?1 tenant, ?2 how many. */
export const NEXT_FACTS = `SELECT facts.id, facts.void, ${FACT} FROM facts
WHERE facts.tenant = ?1 AND facts.id > ${FOLDED} ORDER BY facts.id LIMIT ?2`;

/** Totals that slices grow. ?1 tenant, ?2 JSON [[subject, day, series], …]. */
export const TOTALS_OF = `SELECT totals.subject, totals.day, totals.series, totals.sum, totals.least,
  totals.greatest, totals.count, totals.distinct_values
FROM json_each(?2) AS wanted CROSS JOIN day_totals AS totals ON totals.tenant = ?1
  AND totals.subject = wanted.value -> 0 AND totals.day = wanted.value ->> 1 AND totals.series = wanted.value -> 2`;

/** ?1 tenant. */
export const BEGIN = "INSERT OR IGNORE INTO usage_progress (tenant, folded, epoch, nonce) VALUES (?1, 0, 0, '')";

/**
 * Claims a fold or a rebuild: nothing was folded, voided or rebuilt since its facts were read.
 * ?1 tenant, ?2 nonce, ?3 folded as read, ?4 epoch as read, ?5 folded now, ?6 epoch now.
 */
export const ADVANCE = `UPDATE usage_progress SET nonce = ?2, folded = ?5, epoch = ?6
WHERE tenant = ?1 AND folded = ?3 AND epoch = ?4`;

const ADVANCED = "EXISTS (SELECT 1 FROM usage_progress WHERE tenant = ?1 AND nonce = ?2)";

/** ?3 JSON [[subject, day, series, sum, least, greatest, count, distinct values], …]. */
export const PUT_TOTALS = `INSERT INTO day_totals
  (tenant, subject, day, series, sum, least, greatest, count, distinct_values)
SELECT ?1, value -> 0, value ->> 1, value -> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, nullif(value -> 7, 'null')
FROM json_each(?3) WHERE ${ADVANCED}
ON CONFLICT (tenant, subject, day, series) DO UPDATE SET sum = excluded.sum, least = excluded.least,
  greatest = excluded.greatest, count = excluded.count, distinct_values = excluded.distinct_values`;

/** Days to be made anew. ?1 tenant, ?2 how many. */
export const DIRTY = "SELECT subject, day FROM dirty_days WHERE tenant = ?1 LIMIT ?2";

/** A page of a day's live, folded facts. ?1 tenant, ?2 subject, ?3 and ?4 after this moment and id, ?5 before this moment, ?6 how many. */
export const FACTS_OF_DAY = `SELECT facts.id, ${FACT} FROM facts
WHERE facts.tenant = ?1 AND facts.subject = ?2 AND (facts.at, facts.id) > (?3, ?4) AND facts.at < ?5
  AND facts.void = 0 AND facts.id <= ${FOLDED} ORDER BY facts.at, facts.id LIMIT ?6`;

/** ?1 tenant, ?2 nonce, ?3 subject, ?4 day. */
export const DROP_TOTALS = `DELETE FROM day_totals WHERE tenant = ?1 AND subject = ?3 AND day = ?4 AND ${ADVANCED}`;
export const CLEAN = `DELETE FROM dirty_days WHERE tenant = ?1 AND subject = ?3 AND day = ?4 AND ${ADVANCED}`;

/** Tenants whose usage waits to be folded, each found by a few seeks. ?1 how many at most. */
export const WAITING = `WITH RECURSIVE tenants(tenant) AS (
  SELECT min(tenant) FROM facts WHERE tenant >= ''
  UNION ALL SELECT (SELECT min(tenant) FROM facts WHERE tenant > tenants.tenant) FROM tenants WHERE tenant IS NOT NULL)
SELECT tenant FROM tenants WHERE tenant IS NOT NULL
  AND ((SELECT id FROM facts WHERE tenant = tenants.tenant ORDER BY id DESC LIMIT 1)
      > coalesce((SELECT folded FROM usage_progress WHERE tenant = tenants.tenant), 0)
    OR EXISTS (SELECT 1 FROM dirty_days WHERE dirty_days.tenant = tenants.tenant)) LIMIT ?1`;
