/**
 * Files a request: plan, one transaction, and where the ledger refuses it, a look at what it holds and a
 * better plan.
 *
 * Durable when it returns "filed". A crash before the commit leaves nothing, one after it leaves everything;
 * the caller's repeat then finds its events as duplicates.
 */

import { backoffMs } from "../../shared/backoff.ts";
import type { ClockAndRandom } from "../../shared/clock.ts";
import { type D1Failure, d1FailureOf } from "../database/d1-errors.ts";
import type { LedgerSize } from "../database/ledger-size.ts";
import { pauseFor, READ_REPEATS, repeated } from "../repeat.ts";
import type { Claim } from "./filing-sql.ts";
import { countOnly, filingStatements } from "./filing-statements.ts";
import type { FileOutcome, Filing } from "./ledger.ts";
import { lookUp } from "./look-up.ts";
import { NOTHING_KNOWN, type Plan, planFiling } from "./plan.ts";
import { createRowId } from "./row-id.ts";

/** How often a request is planned anew before the database is called unclear. Each round needs a concurrent writer. */
const ROUNDS_MAX = 8;
/** Of them, those that D1 itself made necessary, and the pauses before them. */
const FAILURES_MAX = 3;
const PAUSES = { baseMs: 100, maxMs: 800 } as const;
/** After these another round may succeed, once it is known what the last one left; after the others none does, or it would do harm. */
const GOES_ON: readonly D1Failure[] = ["constraint", "passing", "unknown"];

/** @throws Error with the last cause where the ledger gave no clear answer. */
export async function fileRequest(
  db: D1Database,
  filing: Filing,
  { clock, random }: ClockAndRandom,
  size: LedgerSize,
): Promise<FileOutcome> {
  let known = NOTHING_KNOWN;
  let cause: unknown;
  let failures = 0;
  const tried = new Map<number, Plan>();
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const plan = planFiling(filing.events, known);
    if (!filing.lenient && plan.counts.conflict + plan.counts.closed > 0) {
      return { kind: "conflicts", fates: plan.fates };
    }
    const claim: Claim = { claimId: createRowId(clock.now(), random()), nonce: filing.nonce };
    tried.set(claim.claimId, plan);
    const attempt = await tryTransaction(db, filing, plan, claim, clock.now(), size);
    if (attempt.kind === "committed") return { kind: "filed", fates: plan.fates };
    if (attempt.kind === "failed") {
      cause = attempt.cause;
      const failure = d1FailureOf(cause);
      if (failure === "full") {
        size.noteFull();
        return { kind: "ledger-full" };
      }
      if (!GOES_ON.includes(failure)) throw new Error("the ledger took nothing down, or did not say so", { cause });
      if (failure === "passing") {
        if (++failures > FAILURES_MAX) break;
        await pauseFor(backoffMs(failures, random(), PAUSES));
      }
    }
    const look = () => lookUp(db, filing, [...tried.keys()], clock.now());
    const held = await repeated(look, READ_REPEATS, { random, pause: pauseFor });
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
    // What the statement gave, not `meta.changes`: that counts, and does not say of what.
    return (first?.results.length ?? 0) > 0 ? { kind: "committed" } : { kind: "unclaimed" };
  } catch (cause) {
    return { kind: "failed", cause };
  }
}
