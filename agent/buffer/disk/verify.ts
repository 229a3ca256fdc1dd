/** Whether a buffer is what it should be: whole files, and a ledger that its rows bear out. */
import type { DatabaseSync } from "node:sqlite";
import { query } from "../tables/rows.ts";

const ERRORS_LISTED_MAX = 20;

/** @returns what is wrong, in words; empty for a sound buffer. */
export function verify(db: DatabaseSync): string[] {
  const damage = db
    .prepare(`PRAGMA quick_check(${ERRORS_LISTED_MAX})`)
    .all()
    .map((row) => String(row["quick_check"]))
    .filter((line) => line !== "ok");
  if (damage.length > 0) return damage;
  return query(db, ["name", "pending", "quarantined", "events", "held"], COUNTS)
    .all()
    .flatMap(({ name, pending, quarantined, events, held }) => [
      ...(pending === events ? [] : [`${name}: ${pending} events pending by the ledger, ${events} there`]),
      ...(quarantined === held ? [] : [`${name}: ${quarantined} events in quarantine by the ledger, ${held} there`]),
    ]);
}

/**
 * What can be seen in a moment, however large the file is: the small tables, and the ends of the large ones. What
 * lies between is checked when it is read, event texts by their checksums.
 */
export function verifyEdges(db: DatabaseSync): string[] {
  for (const table of ["meta", "streams"]) {
    const [row] = db.prepare(`PRAGMA quick_check(${table})`).all();
    if (row?.["quick_check"] !== "ok") return [`table ${table}: ${row?.["quick_check"]}`];
  }
  for (const table of ["batches", "quarantine", "retained", "key_runs", "bodies"]) {
    for (const order of ["ASC", "DESC"]) db.prepare(`SELECT * FROM ${table} ORDER BY rowid ${order} LIMIT 1`).all();
  }
  for (const order of ["ASC", "DESC"]) {
    db.prepare(`SELECT * FROM pending ORDER BY stream ${order}, first ${order} LIMIT 1`).all();
  }
  return [];
}

const COUNTS = `SELECT name, pending, quarantined,
    (SELECT coalesce(sum(count), 0) FROM pending WHERE stream = streams.id) AS events,
    (SELECT count(*) FROM quarantine WHERE stream = streams.id AND state = 'held') AS held
  FROM streams`;
