/**
 * Files a request: plan, one transaction, and where the ledger refuses it, a look at what it holds and a
 * better plan.
 *
 * Durable when it returns "filed". A crash before the commit leaves nothing, one after it leaves everything;
 * the caller's repeat then finds its events as duplicates.
 */

import type { ClockAndRandom } from "../../shared/clock.ts";
import { isDatabaseFull, type LedgerSize } from "../database/ledger-size.ts";
import type { Claim } from "./filing-sql.ts";
import { countOnly, filingStatements } from "./filing-statements.ts";
import type { FileOutcome, Filing } from "./ledger.ts";
import { lookUp } from "./look-up.ts";
import { NOTHING_KNOWN, type Plan, planFiling } from "./plan.ts";
import { createRowId } from "./row-id.ts";

/** How often a request is planned anew before the database is called unclear. Each round needs a concurrent writer. */
const ROUNDS_MAX = 8;

/** @throws Error with the last cause where the ledger gave no clear answer. */
export async function fileRequest(
  db: D1Database,
  filing: Filing,
  { clock, random }: ClockAndRandom,
  size: LedgerSize,
): Promise<FileOutcome> {
  let known = NOTHING_KNOWN;
  let cause: unknown;
  const tried = new Map<number, Plan>();
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const plan = planFiling(filing.events, filing.stream, filing.producer, known);
    if (!filing.lenient && plan.counts.conflict + plan.counts.closed > 0) {
      return { kind: "conflicts", fates: plan.fates };
    }
    const claim: Claim = { claimId: createRowId(clock.now(), random()), nonce: filing.nonce };
    tried.set(claim.claimId, plan);
    const attempt = await tryTransaction(db, filing, plan, claim, clock.now(), size);
    if (attempt.kind === "committed") return { kind: "filed", fates: plan.fates };
    if (attempt.kind === "failed") {
      if (isDatabaseFull(attempt.cause)) {
        size.noteFull();
        return { kind: "ledger-full" };
      }
      cause = attempt.cause;
    }
    const held = await lookUp(db, filing, [...tried.keys()], clock.now());
    const committed = held.committed === null ? undefined : tried.get(held.committed);
    if (committed !== undefined) return { kind: "filed", fates: committed.fates };
    if (!held.keyValid) return { kind: "key-ended" };
    if (!held.owned) return { kind: "foreign-producer" };
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

async function tryTransaction(
  db: D1Database,
  filing: Filing,
  plan: Plan,
  claim: Claim,
  now: number,
  size: LedgerSize,
): Promise<Attempt> {
  const statements =
    plan.rows.length === 0 ? [countOnly(db, filing, plan, now)] : filingStatements(db, filing, plan, claim, now);
  try {
    const [first] = await db.batch(statements);
    size.note(first?.meta);
    return (first?.meta.changes ?? 0) > 0 ? { kind: "committed" } : { kind: "unclaimed" };
  } catch (cause) {
    return { kind: "failed", cause };
  }
}
