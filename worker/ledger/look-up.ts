/** What the ledger holds of a request that it did not simply take: read in one round trip. */
import { ENTRY_BYTES, HASH_BYTES } from "./entries.ts";
import * as SQL from "./filing-sql.ts";
import type { Filing } from "./ledger.ts";
import type { Known } from "./plan.ts";

/** The first row of a request, by which its whole transaction is known. */
export interface Claim {
  readonly id: number;
  readonly nonce: string;
}

export interface Held {
  readonly keyValid: boolean;
  readonly catalogVersion: number;
  /** This very claim is in the ledger: the transaction whose end was unclear did commit. */
  readonly committed: boolean;
  readonly known: Known;
}

type Row = Record<string, unknown>;

export async function lookUp(db: D1Database, filing: Filing, claim: Claim, now: number): Promise<Held> {
  const { tenant, stream, producer, events } = filing;
  const keys = JSON.stringify(events.flatMap((event) => (event.key === null ? [] : [event.key])));
  const groups = new Set(events.flatMap((event) => (event.group === null ? [] : [event.group.id])));
  const statements = [
    db.prepare(SQL.STANDING).bind(filing.apiKeyId, now, tenant, claim.id, claim.nonce),
    db.prepare(SQL.KNOWN_KEYS).bind(keys),
    db.prepare(SQL.CORRECTED_KEYS).bind(keys),
    db.prepare(SQL.CLOSED_GROUPS).bind(tenant, JSON.stringify([...groups])),
  ];
  const first = events[0]?.position ?? null;
  const last = events.at(-1)?.position ?? null;
  if (first !== null && last !== null) {
    statements.push(db.prepare(SQL.TAKEN).bind(tenant, stream, producer, first, last));
    statements.push(db.prepare(SQL.CORRECTED_POSITIONS).bind(tenant, stream, producer, first, last));
  }
  const [standing, known, corrected, closed, taken, correctedTaken] = await db.batch<Row>(statements);
  const row = standing?.results[0];
  if (row === undefined) throw new Error("the ledger did not say how a claim stands");
  return {
    keyValid: row["key_valid"] === 1,
    catalogVersion: Number(row["catalog_version"]),
    committed: row["committed"] === 1,
    known: {
      keys: hashesBy([...rowsOf(known), ...rowsOf(corrected)], (item) => String(item["key"])),
      closedGroups: new Set(rowsOf(closed).map((item) => String(item["id"]))),
      positions: positionsFound(rowsOf(taken), rowsOf(correctedTaken)),
    },
  };
}

function rowsOf(result: D1Result<Row> | undefined): readonly Row[] {
  return result?.results ?? [];
}

function hashesBy<K>(rows: readonly Row[], keyOf: (row: Row) => K): Map<K, string[]> {
  const found = new Map<K, string[]>();
  for (const row of rows) {
    const hashes = found.get(keyOf(row)) ?? [];
    hashes.push(String(row["hash"]).toLowerCase());
    found.set(keyOf(row), hashes);
  }
  return found;
}

function positionsFound(taken: readonly Row[], corrected: readonly Row[]): Map<number, string[]> {
  const positions = hashesBy(corrected, (row) => Number(row["position"]));
  for (const row of taken) {
    const from = Number(row["from"]);
    const entries = String(row["entries"]).toLowerCase();
    for (let i = 0; i * ENTRY_BYTES * 2 < entries.length; i++) {
      const at = i * ENTRY_BYTES * 2;
      const hash = entries.slice(at, at + HASH_BYTES * 2);
      positions.set(from + i, [hash, ...(positions.get(from + i) ?? [])]);
    }
  }
  return positions;
}
