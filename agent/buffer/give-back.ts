/** Gives pages that hold nothing any more back to the disk. */
import type { DatabaseSync } from "node:sqlite";
import { integer } from "./column.ts";
import { isDiskFull } from "./database.ts";

/** Moved in one go: more would hold up the writes that wait meanwhile. */
const PAGES_MAX = 10_000;
/** Kept for the next events: growing the file again costs more than these few megabytes. */
const PAGES_KEPT = 1000;

/** @returns a function that gives some back and says whether there is more to give. */
export function createGiveBack(db: DatabaseSync): () => boolean {
  const free = db.prepare("PRAGMA freelist_count");
  return function giveBack() {
    const pages = integer(free.get() ?? {}, "freelist_count") - PAGES_KEPT;
    if (pages <= 0) return false;
    try {
      db.exec(`PRAGMA incremental_vacuum(${Math.min(pages, PAGES_MAX)}); PRAGMA wal_checkpoint(TRUNCATE)`);
    } catch (error) {
      // Moving pages needs a little room itself; the next time there may be some.
      if (!isDiskFull(error)) throw error;
      return false;
    }
    return pages > PAGES_MAX;
  };
}
