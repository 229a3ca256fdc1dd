/**
 * The statements by which facts come and go, inside the transactions that accept, correct or discard events.
 * Those of filing and replay look for the claim like the others there.
 */
import { statement } from "../database/statement.ts";
import { CLAIMED, type Claim } from "./filing-sql.ts";

/** Ordered, not max(): that would be sought in the index by subject, through all that the tenant ever had. */
const NEWEST = "(SELECT id FROM facts WHERE tenant = :tenant ORDER BY id DESC LIMIT 1)";

/**
 * Ids go on where the tenant's last one stopped; facts are never deleted, so none is used twice.
 * `facts`: JSON [[entry, subject, at, context, quantities], …].
 */
export const ADD_FACTS = statement<
  Claim & { tenant: string; facts: string }
>(`INSERT INTO facts (tenant, id, subject, at, entry, context, quantities)
SELECT :tenant, newest.id + 1 + fact.key, fact.value -> 1, fact.value ->> 2, fact.value ->> 0, fact.value -> 3, fact.value -> 4
FROM (SELECT coalesce(${NEWEST}, 0) AS id) AS newest CROSS JOIN json_each(:facts) AS fact
WHERE ${CLAIMED}`);

/**
 * Right after ADD_FACTS: says of which batches the newest came. `runs`: JSON [[batch, first, last], …], counted from 0
 * among the newest `count`.
 */
export const ADD_FACT_RUNS = statement<
  Claim & { tenant: string; runs: string; count: number }
>(`INSERT INTO fact_runs (tenant, batch, first, last)
SELECT :tenant, fact.value ->> 0, newest.id - :count + 1 + (fact.value ->> 1), newest.id - :count + 1 + (fact.value ->> 2)
FROM (SELECT ${NEWEST} AS id) AS newest CROSS JOIN json_each(:runs) AS fact
WHERE ${CLAIMED}`);

/** Where an event's identity is filed. */
interface Place {
  readonly tenant: string;
  readonly batch: number;
  readonly entry: number;
}

/** The live fact of an event. */
const LIVE = `fact_runs CROSS JOIN facts ON facts.tenant = fact_runs.tenant
  AND facts.id BETWEEN fact_runs.first AND fact_runs.last
WHERE fact_runs.batch = :batch AND facts.entry = :entry AND facts.void = 0`;

const DAY_OF_FACT = "((facts.at - ((facts.at % 86400000) + 86400000) % 86400000) / 86400000)";

/** In this order, each only where the gate is open. */
function voiding(gate: string): string[] {
  return [
    `INSERT OR IGNORE INTO dirty_days (tenant, subject, day)
SELECT facts.tenant, facts.subject, ${DAY_OF_FACT} FROM ${LIVE}
  AND facts.id <= (SELECT folded FROM usage_progress WHERE tenant = :tenant) AND ${gate}`,
    // A fold that has read the fact, but not yet written, must not write.
    `INSERT INTO usage_progress (tenant, folded, epoch, nonce)
SELECT :tenant, 0, 1, '' WHERE EXISTS (SELECT 1 FROM ${LIVE}) AND ${gate}
ON CONFLICT (tenant) DO UPDATE SET epoch = epoch + 1`,
    `UPDATE facts SET void = 1 WHERE tenant = :tenant AND id IN (SELECT facts.id FROM ${LIVE}) AND ${gate}`,
  ];
}

export const VOID_BY_REPLAY = voiding(CLAIMED).map((text) => statement<Claim & Place>(text));

const OPEN = "EXISTS (SELECT 1 FROM quarantine WHERE id = :id AND tenant = :tenant AND state = 'open')";

/** Before the entry is marked: they look whether it is open. `id`: of the quarantine entry. */
export const VOID_BY_DISCARD = voiding(OPEN).map((text) => statement<Place & { id: number }>(text));
