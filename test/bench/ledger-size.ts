/** An edge on a ledger of any size: its folder is made once, and filled in the database's own file. */
import { globSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { type EdgeServer, startEdge } from "../../tools/edge/server.ts";
import { fillings, type LedgerSize } from "../worker/support/large-ledger.ts";

const METERED = fileURLToPath(new URL("../worker/support/metered-worker.ts", import.meta.url));
/** No sweep comes while something is measured. */
const NEVER_MS = 1_000_000_000;

/** Makes an edge's ledger in a folder and fills it. */
export async function makeLedger(persistTo: string, size: LedgerSize): Promise<void> {
  const edge = await startMeteredEdge(persistTo);
  await edge.close();
  const file = globSync(join(persistTo, "**/*.sqlite")).find(hasBatches);
  if (file === undefined) throw new Error(`no ledger in ${persistTo}`);
  const db = new DatabaseSync(file);
  try {
    db.exec("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; BEGIN");
    for (const { sql, values } of fillings(size)) db.prepare(sql).run(...values);
    db.exec("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
  } finally {
    db.close();
  }
}

/** An edge whose answers say in `x-d1` what they cost: rows read, statements, milliseconds in all and of the longest call. */
export function startMeteredEdge(persistTo: string): Promise<EdgeServer> {
  return startEdge({ port: 0, persistTo, vars: {}, entry: METERED, sweepMs: NEVER_MS });
}

function hasBatches(file: string): boolean {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    return db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'batches'").get() !== undefined;
  } finally {
    db.close();
  }
}
