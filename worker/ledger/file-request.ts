/**
 * Files a request: plan, one transaction, and where the ledger refuses it, a look at what it holds and a
 * better plan.
 *
 * Durable when it returns "filed". A crash before the commit leaves nothing, one after it leaves everything;
 * the caller's repeat then finds its events as duplicates.
 */

import type { ClockAndRandom } from "../../shared/clock.ts";
import { factJson } from "./fact.ts";
import * as FACTS from "./facts-sql.ts";
import * as SQL from "./filing-sql.ts";
import type { FileOutcome, Filing } from "./ledger.ts";
import { type Claim, lookUp } from "./look-up.ts";
import { NOTHING_KNOWN, type Plan, planFiling } from "./plan.ts";
import { createRowId } from "./row-id.ts";

/** How often a request is planned anew before the database is called unclear. Each round needs a concurrent writer. */
const ROUNDS_MAX = 8;

/** @throws Error with the last cause where the ledger gave no clear answer. */
export async function fileRequest(
  db: D1Database,
  filing: Filing,
  { clock, random }: ClockAndRandom,
): Promise<FileOutcome> {
  let known = NOTHING_KNOWN;
  let cause: unknown;
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const plan = planFiling(filing.events, filing.stream, filing.producer, known);
    if (!filing.lenient && plan.counts.conflict + plan.counts.closed > 0) {
      return { kind: "conflicts", fates: plan.fates };
    }
    const claim: Claim = { id: createRowId(clock.now(), random()), nonce: crypto.randomUUID() };
    const attempt = await tryTransaction(db, filing, plan, claim, clock.now());
    if (attempt.kind === "committed") return { kind: "filed", fates: plan.fates };
    if (attempt.kind === "failed") cause = attempt.cause;
    const held = await lookUp(db, filing, claim, clock.now());
    if (held.committed) return { kind: "filed", fates: plan.fates };
    if (!held.keyValid) return { kind: "key-ended" };
    if (held.catalogVersion !== filing.catalogVersion) return { kind: "catalog-changed" };
    known = held.known;
  }
  throw new Error("the ledger gave no clear answer", { cause });
}

type Attempt =
  | { readonly kind: "committed" }
  /** The claim matched nothing; nothing was written. */
  | { readonly kind: "unclaimed" }
  /** The transaction aborted (a key is known), or its end is unknown. */
  | { readonly kind: "failed"; readonly cause: unknown };

async function tryTransaction(db: D1Database, filing: Filing, plan: Plan, claim: Claim, now: number): Promise<Attempt> {
  const statements =
    plan.rows.length === 0 ? countOnly(db, filing, plan, now) : filingStatements(db, filing, plan, claim, now);
  try {
    const [first] = await db.batch(statements);
    return (first?.meta.changes ?? 0) > 0 ? { kind: "committed" } : { kind: "unclaimed" };
  } catch (cause) {
    return { kind: "failed", cause };
  }
}

function countOnly(db: D1Database, filing: Filing, plan: Plan, now: number): D1PreparedStatement[] {
  return [db.prepare(SQL.COUNT_ONLY).bind(...counterValues(filing, plan), filing.apiKeyId, now, filing.catalogVersion)];
}

function filingStatements(
  db: D1Database,
  filing: Filing,
  plan: Plan,
  claim: Claim,
  now: number,
): D1PreparedStatement[] {
  const { tenant, stream, context } = filing;
  const producer = filing.producer ?? "";
  const groups = plan.groups.map(([id]) => id);
  const by = (sql: string, ...values: unknown[]) => db.prepare(sql).bind(claim.id, claim.nonce, ...values);
  const statements: D1PreparedStatement[] = [];
  plan.rows.forEach((row, i) => {
    const id = claim.id + i;
    const columns = [
      id,
      claim.nonce,
      tenant,
      stream,
      filing.producer,
      row.first,
      row.last,
      context,
      filing.idempotencyKey,
      filing.ownIdField,
      filing.receivedAt,
      filing.times ? JSON.stringify(row.indexes.map((index) => filing.times?.[index] ?? null)) : null,
      row.entries,
      row.payload,
    ];
    if (i === 0) {
      const gate = [filing.apiKeyId, now, filing.catalogVersion, JSON.stringify(plan.runs), JSON.stringify(groups)];
      statements.push(db.prepare(SQL.CLAIM).bind(...columns, ...gate));
    } else statements.push(by(SQL.FURTHER_ROW, ...columns));
    if (row.keys.some((key) => key !== "")) statements.push(by(SQL.KEYS, id, JSON.stringify(row.keys)));
    if (row.events > 0) {
      const bytes = new TextEncoder().encode(row.payload).length;
      statements.push(by(SQL.OUTBOX, tenant, stream, id, context, row.entryCount, row.events, bytes));
    }
    if (row.quarantined.length > 0) {
      const held = row.quarantined.map(({ entry, event }) => [
        id,
        entry,
        event.id,
        event.source,
        JSON.stringify(event.faults),
      ]);
      statements.push(by(SQL.QUARANTINE, tenant, stream, producer, context, now, JSON.stringify(held)));
    }
    if (row.measured.length > 0) {
      const facts = row.measured.map(({ entry, event, measure }) =>
        factJson(entry, measure, filing.times?.[event.index] ?? null, filing.receivedAt),
      );
      statements.push(by(FACTS.FACTS, tenant, JSON.stringify(facts)));
      statements.push(by(FACTS.FACT_RUN, tenant, id, facts.length));
    }
  });
  if (plan.groups.length > 0) statements.push(by(SQL.GROUPS, tenant, JSON.stringify(plan.groups)));
  for (const [first, last] of plan.runs) {
    statements.push(by(SQL.RANGE, tenant, stream, producer, first, last));
    statements.push(by(SQL.RANGE_ABSORBED, tenant, stream, producer, last + 1));
  }
  statements.push(by(SQL.COUNT, ...counterValues(filing, plan)));
  return statements;
}

function counterValues(filing: Filing, plan: Plan): (string | number)[] {
  const { accepted, quarantined, duplicate, conflict, closed } = plan.counts;
  return [
    filing.tenant,
    filing.stream,
    filing.producer ?? "",
    accepted + quarantined,
    duplicate,
    conflict + closed,
    quarantined,
    ...plan.digest,
    ...plan.positionsDigest,
  ];
}
