/** A plan as the statements of its one transaction. */
import { factJson } from "./fact.ts";
import * as FACTS from "./facts-sql.ts";
import * as SQL from "./filing-sql.ts";
import type { Filing } from "./ledger.ts";
import type { Plan, PlannedRow } from "./plan.ts";

/** For a plan that files nothing. */
export function countOnly(db: D1Database, filing: Filing, plan: Plan, now: number): D1PreparedStatement {
  return SQL.COUNT_ONLY.bind(db, { ...counterColumns(filing, plan), ...gateOf(filing, now) });
}

/** The first of them claims: its changes say whether the transaction did anything. */
export function filingStatements(
  db: D1Database,
  filing: Filing,
  plan: Plan,
  claim: SQL.Claim,
  now: number,
): D1PreparedStatement[] {
  const { tenant } = filing;
  const of = { ...claim, tenant, stream: filing.stream, producer: filing.producer ?? "" };
  const statements = plan.rows.flatMap((row, i) => {
    const columns = batchColumns(filing, row, claim, i);
    const filed =
      i === 0 ? claiming(db, filing, plan, columns, now) : SQL.FURTHER_ROW.bind(db, { ...claim, ...columns });
    return [filed, ...rowStatements(db, filing, row, claim, columns.id, now)];
  });
  if (plan.groups.length > 0) {
    statements.push(SQL.GROUPS.bind(db, { ...claim, tenant, groups: JSON.stringify(plan.groups) }));
  }
  for (const [first, last] of plan.runs) {
    statements.push(SQL.RANGE.bind(db, { ...of, first, last }), SQL.RANGE_ABSORBED.bind(db, { ...of, last }));
  }
  statements.push(SQL.COUNT.bind(db, { ...claim, ...counterColumns(filing, plan) }));
  return statements;
}

function gateOf({ apiKeyId, catalogVersion }: Filing, now: number) {
  return { apiKeyId, catalogVersion, now };
}

function claiming(db: D1Database, filing: Filing, plan: Plan, columns: SQL.BatchColumns, now: number) {
  const groups = JSON.stringify(plan.groups.map(([id]) => id));
  return SQL.CLAIM.bind(db, { ...columns, ...gateOf(filing, now), runs: JSON.stringify(plan.runs), groups });
}

function batchColumns(filing: Filing, row: PlannedRow, claim: SQL.Claim, i: number): SQL.BatchColumns {
  const { tenant, stream, producer, context, sentIds, idempotencyKey, ownIdField, receivedAt, times } = filing;
  return {
    id: claim.claimId + i,
    nonce: claim.nonce,
    tenant,
    stream,
    producer,
    first: row.first,
    last: row.last,
    context,
    sentIds,
    idempotencyKey,
    ownIdField,
    receivedAt,
    times: times ? JSON.stringify(row.indexes.map((index) => times[index] ?? null)) : null,
    entries: row.entries,
    payload: row.payload,
  };
}

/** What hangs on a row: keys, its place in the outbox, quarantine, facts. */
function rowStatements(
  db: D1Database,
  filing: Filing,
  row: PlannedRow,
  claim: SQL.Claim,
  batch: number,
  now: number,
): D1PreparedStatement[] {
  const { tenant, stream, context } = filing;
  const statements: D1PreparedStatement[] = [];
  if (row.keys.some((key) => key !== "")) {
    statements.push(SQL.KEYS.bind(db, { ...claim, batch, keys: JSON.stringify(row.keys) }));
  }
  if (row.events > 0) {
    const bytes = new TextEncoder().encode(row.payload).length;
    const { entryCount: entries, events } = row;
    statements.push(SQL.OUTBOX.bind(db, { ...claim, tenant, stream, batch, context, entries, events, bytes }));
  }
  if (row.quarantined.length > 0) {
    const held = row.quarantined.map(({ entry, event }) => {
      return [batch, entry, event.id, event.source, JSON.stringify(event.reasons)];
    });
    const of = { ...claim, tenant, stream, producer: filing.producer ?? "", context, now };
    statements.push(SQL.QUARANTINE.bind(db, { ...of, held: JSON.stringify(held) }));
  }
  if (row.measured.length > 0) {
    const facts = row.measured.map(({ entry, event, measure }) =>
      factJson(entry, measure, filing.times?.[event.index] ?? null, filing.receivedAt),
    );
    statements.push(
      FACTS.ADD_FACTS.bind(db, { ...claim, tenant, facts: JSON.stringify(facts) }),
      FACTS.ADD_FACT_RUN.bind(db, { ...claim, tenant, batch, count: facts.length }),
    );
  }
  return statements;
}

function counterColumns(filing: Filing, { counts, digest, positionsDigest }: Plan): SQL.CounterColumns {
  const { accepted, quarantined, duplicate, conflict, closed } = counts;
  const [digest0, digest1, digest2, digest3] = digest;
  const [positions0, positions1, positions2, positions3] = positionsDigest;
  return {
    tenant: filing.tenant,
    stream: filing.stream,
    producer: filing.producer ?? "",
    accepted: accepted + quarantined,
    duplicates: duplicate,
    conflicts: conflict + closed,
    quarantined,
    ...{ digest0, digest1, digest2, digest3 },
    ...{ positions0, positions1, positions2, positions3 },
  };
}
