/** Whether the buffer's bound leaves room for more. */
import { statSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { integer } from "./column.ts";
import { BUFFER_FILE } from "./database.ts";
import type { AppendOperation } from "./operations.ts";

export interface Room {
  /** Looks at the files anew; once a transaction. */
  measure(): void;
  /** Takes room for one append, or says that there is none. Free pages inside the file count as room. */
  take(operation: AppendOperation): boolean;
}

export function createRoom(db: DatabaseSync, directory: string, bytesMax: number): Room {
  const pageBytes = integer(db.prepare("PRAGMA page_size").get() ?? {}, "page_size");
  const pages = db.prepare("PRAGMA page_count");
  const free = db.prepare("PRAGMA freelist_count");
  const wal = join(directory, `${BUFFER_FILE}-wal`);
  let used = 0;
  return {
    measure() {
      const inUse = integer(pages.get() ?? {}, "page_count") - integer(free.get() ?? {}, "freelist_count");
      used = inUse * pageBytes + (statSync(wal, { throwIfNoEntry: false })?.size ?? 0);
    },
    take(operation) {
      const bytes = operation.events.body.length + operation.events.ends.byteLength + pageBytes;
      if (used + bytes > bytesMax) return false;
      used += bytes;
      return true;
    },
  };
}
