/** Small facts kept with the buffer: whose it is, and what the edge last told. */
import type { DatabaseSync } from "node:sqlite";
import { text } from "./column.ts";

export const FACT = {
  /** The producer's configured or made-up name. */
  id: "id",
  /** Eight characters made with the buffer, so that a rebuilt one never reuses a position. */
  log: "log",
  /** How long the log has been open, in milliseconds. */
  openMs: "open_ms",
  /** How many transactions there were. */
  commits: "commits",
  schemas: "schemas",
  schemasEtag: "schemas_etag",
} as const;

export function readFacts(db: DatabaseSync): Map<string, string> {
  const rows = db.prepare("SELECT name, value FROM meta").all();
  return new Map(rows.map((row) => [text(row, "name"), text(row, "value")]));
}

/** One fact; null where it is not known. */
export function readFact(db: DatabaseSync, name: string): string | null {
  const row = db.prepare("SELECT value FROM meta WHERE name = ?").get(name);
  return row === undefined ? null : text(row, "value");
}

export function writeFacts(db: DatabaseSync, facts: readonly (readonly [string, string])[]): void {
  const write = factWriter(db);
  for (const [name, value] of facts) write(name, value);
}

/** As {@link writeFacts}, prepared for being done often. */
export function factWriter(db: DatabaseSync): (name: string, value: string) => void {
  const upsert = db.prepare(
    "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
  );
  return (name, value) => void upsert.run(name, value);
}
