/**
 * The statements by which facts come and go, inside the transactions that accept, correct or discard events.
 * Those of filing and replay look for the claim (?1 batch id, ?2 nonce) like the others there.
 */

const CLAIMED = "EXISTS (SELECT 1 FROM batches WHERE id = ?1 AND nonce = ?2)";
const OPEN = "EXISTS (SELECT 1 FROM quarantine WHERE id = ?1 AND tenant = ?2 AND state = 'open')";

/** Ordered, not max(): that would be sought in the index by subject, through all that the tenant ever had. */
const NEWEST = "(SELECT id FROM facts WHERE tenant = ?3 ORDER BY id DESC LIMIT 1)";

/**
 * Ids go on where the tenant's last one stopped; facts are never deleted, so none is used twice.
 * ?3 tenant, ?4 JSON [[entry, subject, at, context, quantities], …].
 */
export const FACTS = `INSERT INTO facts (tenant, id, subject, at, entry, context, quantities)
SELECT ?3, newest.id + 1 + fact.key, fact.value -> 1, fact.value ->> 2, fact.value ->> 0, fact.value -> 3, fact.value -> 4
FROM (SELECT coalesce(${NEWEST}, 0) AS id) AS newest CROSS JOIN json_each(?4) AS fact
WHERE ${CLAIMED}`;

/** Right after FACTS: says that the newest came of a batch. ?3 tenant, ?4 the batch that holds the identity, ?5 how many. */
export const FACT_RUN = `INSERT INTO fact_runs (tenant, batch, first, last)
SELECT ?3, ?4, newest.id - ?5 + 1, newest.id FROM (SELECT ${NEWEST} AS id) AS newest
WHERE ${CLAIMED}`;

/** The live fact of an event. ?4 batch that holds its identity, ?5 entry. */
const LIVE = `fact_runs CROSS JOIN facts ON facts.tenant = fact_runs.tenant
  AND facts.id BETWEEN fact_runs.first AND fact_runs.last
WHERE fact_runs.batch = ?4 AND facts.entry = ?5 AND facts.void = 0`;

const DAY_OF_FACT = "((facts.at - ((facts.at % 86400000) + 86400000) % 86400000) / 86400000)";

/** In this order. ?1 and ?2 the gate's, ?3 tenant, ?4 batch that holds the identity, ?5 entry. */
function voiding(gate: string): { readonly dirty: string; readonly epoch: string; readonly void: string } {
  return {
    dirty: `INSERT OR IGNORE INTO dirty_days (tenant, subject, day)
SELECT facts.tenant, facts.subject, ${DAY_OF_FACT} FROM ${LIVE}
  AND facts.id <= (SELECT folded FROM usage_progress WHERE tenant = ?3) AND ${gate}`,
    // A fold that has read the fact, but not yet written, must not write.
    epoch: `INSERT INTO usage_progress (tenant, folded, epoch, nonce)
SELECT ?3, 0, 1, '' WHERE EXISTS (SELECT 1 FROM ${LIVE}) AND ${gate}
ON CONFLICT (tenant) DO UPDATE SET epoch = epoch + 1`,
    void: `UPDATE facts SET void = 1 WHERE tenant = ?3 AND id IN (SELECT facts.id FROM ${LIVE}) AND ${gate}`,
  };
}

const REPLAYED = voiding(CLAIMED);
export const DIRTY_BY_REPLAY = REPLAYED.dirty;
export const EPOCH_BY_REPLAY = REPLAYED.epoch;
export const VOID_BY_REPLAY = REPLAYED.void;

/** Before the entry is marked: they look whether it is open. ?1 quarantine id, ?2 tenant. */
const DISCARDED = voiding(OPEN);
export const DIRTY_BY_DISCARD = DISCARDED.dirty;
export const EPOCH_BY_DISCARD = DISCARDED.epoch;
export const VOID_BY_DISCARD = DISCARDED.void;
