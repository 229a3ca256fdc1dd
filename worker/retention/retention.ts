/**
 * Takes what was delivered out of the database, RETAIN_DAYS after the last of a batch's events was delivered or discarded.
 *
 * A slice's payload is whole in the archive, where there is one, before its rows are emptied, and the rows and the mark of
 * how far retention has come change in one transaction: a crash between leaves an object that no row names, never a row
 * whose payload is nowhere. Two runs at once write two objects, and the rows name one of them. What stays: the row (who
 * took which positions), the keys of what has one, counts, ranges, digests, quarantine, and all that is pending.
 */

import type { LedgerSize } from "../database/ledger-size.ts";
import { createBudget, type StatementBudget } from "../database/statement-budget.ts";
import type { ArchivedAttempt } from "../ledger/payload-archive.ts";
import { createRowId } from "../ledger/row-id.ts";
import type { Archive } from "./archive.ts";
import type { ArchiveLine } from "./archive-text.ts";
import { dropCalls, dropCallsOf } from "./calls.ts";
import * as SQL from "./retention-sql.ts";
import { cutSlice, type Slice } from "./slice.ts";

const DAY_MS = 86_400_000;
/** Batches of one slice; see slice.ts for its other bounds. */
const SLICE_BATCHES = 500;
/** Statements of one slice, and of what comes before and after the slices. */
const SLICE_STATEMENTS = 8;
const OWN_STATEMENTS = 24;
/** Of one run; the rest is the next one's. */
const RUN_MS = 20_000;
/** A batch is in the ledger, or refused, so long after its id was drawn: a mark does not pass one that is still to come. */
const COMMIT_MS_MAX = 600_000;
/** What could not leave is looked at again after so long, or as long as payload is kept if that is less. */
const LOOK_AGAIN_MS = 6 * 3_600_000;

export interface RetentionRun {
  readonly batches: number;
  /** Bytes of payload that left. */
  readonly bytes: number;
  /** There may be more to do at once. */
  readonly isLeft: boolean;
}

export interface Retention {
  /** Does as much as the budget, and twenty seconds, allow. @throws where the database or the archive fails. */
  sweep(budget?: StatementBudget): Promise<RetentionRun>;
}

export interface RetentionHost {
  readonly db: D1Database;
  /** Null: what leaves is gone. */
  readonly archive: Archive | null;
  readonly retainDays: number;
  readonly size: LedgerSize;
  readonly now: () => number;
}

export function createRetention(host: RetentionHost): Retention {
  const { db, retainDays, now } = host;
  const retainMs = retainDays * DAY_MS;
  return {
    async sweep(budget = createBudget(db)) {
      const startedAt = now();
      const cutoff = startedAt - retainMs;
      const before = createRowId(Math.min(cutoff, startedAt - COMMIT_MS_MAX), 0);
      const lookAgainAt = startedAt + Math.min(LOOK_AGAIN_MS, retainMs);
      const isOver = (statements: number) => !budget.has(statements) || now() - startedAt >= RUN_MS;
      const late = await SQL.LOOK_AGAIN.all(budget.db, { now: startedAt, count: SLICE_BATCHES });
      const again = cutSlice(late, cutoff, lookAgainAt);
      if (again !== null) {
        await leave(host, budget.db, { ...again, mark: null }, true);
        await dropCallsOf(budget.db, JSON.stringify(again.leaving));
      }
      let done = { batches: again?.leaving.length ?? 0, bytes: again?.bytes ?? 0 };
      let isLeft = late.length === SLICE_BATCHES;
      let mark = (await SQL.PROGRESS.first(budget.db, { name: "payload" }))?.mark ?? 0;
      for (;;) {
        if (isOver(SLICE_STATEMENTS + OWN_STATEMENTS)) {
          isLeft = true;
          break;
        }
        const looked = { after: mark, before, count: SLICE_BATCHES };
        const slice = cutSlice(await SQL.LOOK.all(budget.db, looked), cutoff, lookAgainAt);
        if (slice === null) break;
        await leave(host, budget.db, slice, false);
        mark = slice.mark;
        done = { batches: done.batches + slice.leaving.length, bytes: done.bytes + slice.bytes };
      }
      await dropCalls(budget.db, cutoff - Math.min(retainMs, DAY_MS));
      return { ...done, isLeft };
    },
  };
}

/** One slice: into the archive, then out of the database. @param mark null for those that were late. */
async function leave(
  { archive, size, now }: RetentionHost,
  db: D1Database,
  { leaving, late, mark }: Omit<Slice, "mark"> & { readonly mark: number | null },
  wereLate: boolean,
): Promise<void> {
  const batches = JSON.stringify(leaving);
  const places = archive === null ? new Map<number, string>() : await archived(archive, db, batches);
  const named = JSON.stringify(leaving.map((id) => [id, places.get(id) ?? null]));
  const results = await db.batch([
    ...(leaving.length === 0 ? [] : [SQL.EMPTY.bind(db, { now: now(), leaving: named })]),
    ...(late.length === 0 ? [] : [SQL.PUT_LATE.bind(db, { late: JSON.stringify(late) })]),
    ...(wereLate && leaving.length > 0 ? [SQL.DROP_LATE.bind(db, { batches })] : []),
    ...(mark === null ? [] : [SQL.ADVANCE.bind(db, { name: "payload", mark })]),
  ]);
  size.note(results.at(-1)?.meta);
}

/** Writes what is there of some batches, an object a tenant. @returns where each is. */
async function archived(archive: Archive, db: D1Database, batches: string): Promise<Map<number, string>> {
  const [leaving, attempts] = await db.batch([SQL.LEAVING.bind(db, { batches }), SQL.ATTEMPTS.bind(db, { batches })]);
  const byBatch = Map.groupBy(SQL.ATTEMPTS.rows(attempts), ({ batch }) => batch);
  const lines = SQL.LEAVING.rows(leaving).map((row) => lineOf(row, byBatch.get(row.id) ?? []));
  const places = new Map<number, string>();
  for (const [tenant, own] of Map.groupBy(lines, (line) => line.tenant)) {
    for (const [batch, place] of await archive.write(tenant, own)) places.set(batch, place);
  }
  return places;
}

function lineOf({ id, ...row }: SQL.Leaving, attempts: readonly SQL.LeavingAttempt[]): ArchiveLine {
  return { batch: id, ...row, attempts: attempts.flatMap(spansOf) };
}

function spansOf({ batch: _, spans, ...attempt }: SQL.LeavingAttempt): ArchivedAttempt[] {
  const parts: [number, number][] = spans === null ? [[0, Number.MAX_SAFE_INTEGER]] : JSON.parse(spans);
  return parts.map(([from, to]) => ({ ...attempt, from, to }));
}
