/**
 * Calls whose batches have all left: their attempts, which the archive has, and their rows. By their ids from a mark on;
 * a call that cannot go when the mark passes it carried what is late.
 */
import * as SQL from "./retention-sql.ts";

const CALLS = 500;
/** Bytes of lists of parts that one statement takes apart. */
const PARTS_BYTES = 200_000;
const SLICES = 3;

/** @param before calls fixed before then. */
export async function dropCalls(db: D1Database, before: number): Promise<void> {
  let after = (await SQL.PROGRESS.first(db, { name: "calls" }))?.mark ?? 0;
  for (let slice = 0; slice < SLICES; slice++) {
    const calls = firstOf(await SQL.OLD_CALLS.all(db, { after, before, count: CALLS }));
    const mark = calls.at(-1);
    if (mark === undefined) return;
    await db.batch([...dropStatements(db, calls), SQL.ADVANCE.bind(db, { name: "calls", mark })]);
    after = mark;
  }
}

/** Of batches that were late, and leave now. */
export async function dropCallsOf(db: D1Database, batches: string): Promise<void> {
  const calls = firstOf(await SQL.CALLS_OF.all(db, { batches, count: CALLS }));
  if (calls.length > 0) await db.batch(dropStatements(db, calls));
}

function dropStatements(db: D1Database, ids: readonly number[]): D1PreparedStatement[] {
  const calls = JSON.stringify(ids);
  return [SQL.DROP_ATTEMPTS, SQL.DROP_PARTS, SQL.DROP_CALLS].map((drop) => drop.bind(db, { calls }));
}

function firstOf(calls: readonly SQL.OldCall[]): number[] {
  const ids: number[] = [];
  let bytes = 0;
  for (const { id, octets } of calls) {
    if (ids.length > 0 && bytes + octets > PARTS_BYTES) break;
    bytes += octets;
    ids.push(id);
  }
  return ids;
}
