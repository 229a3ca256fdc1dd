/** One process a directory. The lock is the system's own and ends with its process, however that ends. */
import { chmodSync, closeSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openMade } from "./directory.ts";

export const LOCK_FILE = "lock";

/**
 * Takes the directory's lock, before anything in it is looked at. An empty SQLite database, never written to: it
 * has the only file locks that Node offers. Throws SQLite's BUSY where another holds it.
 */
export function takeLock(directory: string): { release(): void } {
  const path = join(directory, LOCK_FILE);
  closeSync(openMade(path, "a"));
  chmodSync(path, 0o600);
  const db = new DatabaseSync(path, { timeout: 0 });
  try {
    db.exec("PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  } catch (error) {
    db.close();
    throw error;
  }
  return { release: () => db.close() };
}
