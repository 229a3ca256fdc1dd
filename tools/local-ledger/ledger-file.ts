/**
 * The ledger of an edge on this machine as a file: SQLite in WAL mode, which more than one process may write. It is where
 * Miniflare puts a D1 database, so that it is found both while an edge runs on it and while none does.
 */
import { createHash, createHmac } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** What `npm run edge` uses where nothing else is said. */
export const DEFAULT_LEDGER_FOLDER = fileURLToPath(new URL("../../.weir/edge", import.meta.url));

const OBJECT = "miniflare-D1DatabaseObject";
const ID_BYTES = 16;

/** @param database its name in wrangler.toml. */
export function ledgerFile(persistTo: string, database: string): string {
  return join(persistTo, "d1", OBJECT, `${objectId(database)}.sqlite`);
}

/** The id of the Durable Object that is the database: workerd's own rule for an object known by its name. */
function objectId(name: string): string {
  const key = createHash("sha256").update(OBJECT).digest();
  const hmac = (data: string | Buffer) => createHmac("sha256", key).update(data).digest().subarray(0, ID_BYTES);
  const ofName = hmac(name);
  return Buffer.concat([ofName, hmac(ofName)]).toString("hex");
}
