/** Gives pages that hold nothing any more back to the disk. */
import type { DatabaseSync } from "node:sqlite";
import { number } from "../tables/rows.ts";
import { isDiskFull } from "./database.ts";

/** Kept for the next events: growing the file again costs more than this megabyte. */
const PAGES_KEPT = 250;

/**
 * @param bytesMax moved in one go: more would hold up the writes that wait meanwhile, and swell the WAL.
 * @returns a function that gives some back and says whether there is more to give.
 */
export function createGiveBack(db: DatabaseSync, bytesMax: number): () => boolean {
  const free = number(db, "PRAGMA freelist_count");
  const pageBytes = number(db, "PRAGMA page_size")();
  const pagesMax = Math.ceil(bytesMax / pageBytes);
  return function giveBack() {
    const pages = free() - PAGES_KEPT;
    try {
      if (pages > 0) db.exec(`PRAGMA incremental_vacuum(${Math.min(pages, pagesMax)})`);
      // On the way SQLite carries the log over by itself; the file shrinks when the last of it is.
      if (pages <= pagesMax) db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch (error) {
      // Moving pages needs a little room itself; the next time there may be some.
      if (!isDiskFull(error)) throw error;
      return false;
    }
    return pages > pagesMax;
  };
}
