/** Whether the buffer's bound leaves room for more. */
import { statSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { EventRun } from "../tables/event-run.ts";
import { number } from "../tables/rows.ts";
import type { Bounds } from "./bounds.ts";
import { BUFFER_FILE, isDiskFull } from "./database.ts";

export interface Room {
  /** Looks at the files anew. */
  measure(): void;
  /**
   * Takes room for one append, of one body or several, or says how many bytes it is short of (0: taken). A commit writes each page into the write-ahead
   * log first, so events count twice until they were carried over; free pages inside the file count as room.
   */
  take(events: EventRun, bodies?: number): { readonly shortfallBytes: number };
  /**
   * At the bound the write-ahead log's share decides, and a log that was carried over but not emptied would refuse
   * what there is room for. Before a transaction.
   */
  emptyFullLog(): void;
}

/** A frame of the write-ahead log is a page and this. */
const FRAME_HEADER_BYTES = 24;
/** Pages a small append touches besides its own: leaves of tables and indexes, and what splits above them. */
const PAGES_TOUCHED = 13;
/** What a body's hash takes, at most; the first one's is among those pages. */
const BODY_ROW_BYTES = 50;

export function createRoom(db: DatabaseSync, directory: string, bounds: Bounds): Room {
  const pageBytes = number(db, "PRAGMA page_size")();
  const pages = number(db, "PRAGMA page_count");
  const freePages = number(db, "PRAGMA freelist_count");
  const file = join(directory, BUFFER_FILE);
  const sizeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  const look = () => ({ main: sizeOf(file), wal: sizeOf(`${file}-wal`) });
  let main = 0;
  let free = 0;
  let wal = 0;
  /** As they were just before the transaction: it need not look again. */
  let sizes: ReturnType<typeof look> | null = null;
  return {
    measure() {
      const found = sizes ?? look();
      sizes = null;
      main = Math.max(found.main, pages() * pageBytes);
      free = freePages();
      wal = found.wal;
    },
    take({ body, ends }, bodies = 1) {
      const bytes = body.length + ends.byteLength + (bodies - 1) * BODY_ROW_BYTES;
      const taken = Math.ceil(bytes / (pageBytes - 100)) + PAGES_TOUCHED;
      const grown = Math.max(0, taken - free) * pageBytes;
      const logged = wal + taken * (pageBytes + FRAME_HEADER_BYTES);
      const total = main + grown + Math.max(bounds.walBytes, logged) + bounds.reserveBytes + SMALL_FILES_BYTES;
      if (total > bounds.bytesMax) return { shortfallBytes: total - bounds.bytesMax };
      main += grown;
      free = Math.max(0, free - taken);
      wal = logged;
      return { shortfallBytes: 0 };
    },
    emptyFullLog() {
      sizes = look();
      const total = sizes.main + sizes.wal + bounds.walBytes + bounds.reserveBytes;
      if (sizes.wal <= bounds.checkpointBytes || total <= bounds.bytesMax) return;
      sizes = null;
      try {
        db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      } catch (error) {
        // Carrying over takes room itself; then this transaction finds what there is.
        if (!isDiskFull(error)) throw error;
      }
    },
  };
}

/** Lock, marker and name. */
const SMALL_FILES_BYTES = 4096;
