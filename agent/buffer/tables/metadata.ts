/** Small values kept with the buffer by name: whose it is, and what the edge last said. */
import type { DatabaseSync } from "node:sqlite";
import { query, statement } from "./rows.ts";

/** The table is called meta. */
export const METADATA = {
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

export type MetadataEntry = readonly [name: string, value: string];

export function readMetadata(db: DatabaseSync): Map<string, string> {
  const rows = query(db, ["name", "value"], "SELECT name, value FROM meta").all();
  return new Map(rows.map(({ name, value }) => [name, value]));
}

/** One value; null where it is not known. */
export function readMetadataEntry(db: DatabaseSync, name: string): string | null {
  return query(db, ["value"], "SELECT value FROM meta WHERE name = :name").get({ name })?.value ?? null;
}

/** @returns a function that keeps one value, prepared for being called often. */
export function metadataWriter(db: DatabaseSync): (entry: MetadataEntry) => void {
  const upsert = statement(
    db,
    "INSERT INTO meta (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
  );
  return ([name, value]) => void upsert.run({ name, value });
}
