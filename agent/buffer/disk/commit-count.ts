/**
 * How many transactions the log has, kept twice: in the database, as part of each, and after its commit in a small file
 * beside it. A log whose write-ahead log was taken away has fewer than the file says: SQLite would open it as if nothing
 * had been, and positions that were answered for would be given again. One that SQLite carried over and took away itself,
 * as it does at the end of a process, has them all. The file is not synced and never ahead of the log, so that no crash
 * or power cut looks like a loss.
 */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { METADATA, metadataWriter, readMetadataEntry } from "../tables/metadata.ts";
import { number } from "../tables/rows.ts";
import { isNoRoom } from "./reserve.ts";

export const COMMITS_FILE = "commits";
const COUNT_BYTES = 8;

export interface CommitCount {
  /** Counts the open transaction, if it has changed anything. */
  count(): void;
  /** Writes it to the file, once the transaction is committed. */
  report(): void;
  close(): void;
}

/** @returns what is wrong in words; null where every transaction is there that the file knows of. */
export function missingCommits(directory: string, db: DatabaseSync): string | null {
  const there = countIn(db);
  const reported = reportedBy(directory);
  if (reported <= there) return null;
  return `its write-ahead log is missing: ${reported - there} of ${reported} transactions are not there`;
}

export function openCommitCount(directory: string, db: DatabaseSync): CommitCount {
  const changed = number(db, "SELECT total_changes()");
  const write = metadataWriter(db);
  const file = openForWriting(join(directory, COMMITS_FILE));
  const bytes = Buffer.alloc(COUNT_BYTES);
  let committed = countIn(db);
  let counting = committed;
  let seen = changed();
  return {
    count() {
      counting = committed;
      if (changed() === seen) return;
      counting++;
      write([METADATA.commits, String(counting)]);
      seen = changed();
    },
    report() {
      if (counting === committed) return;
      committed = counting;
      if (file === null) return;
      bytes.writeBigUInt64LE(BigInt(committed));
      try {
        writeSync(file, bytes, 0, COUNT_BYTES, 0);
      } catch {
        // The disk is full or failing: a file that stays behind vouches for fewer transactions, no more.
      }
    },
    close() {
      if (file !== null) closeSync(file);
    },
  };
}

/** Null where a full disk has no room for one: the agent goes without. */
function openForWriting(path: string): number | null {
  try {
    // Not written through "a": appending would ignore the place that is written to.
    closeSync(openSync(path, "a", 0o600));
    return openSync(path, "r+");
  } catch (error) {
    if (isNoRoom(error)) return null;
    throw error;
  }
}

function countIn(db: DatabaseSync): number {
  return Number(readMetadataEntry(db, METADATA.commits) ?? 0);
}

function reportedBy(directory: string): number {
  let bytes: Buffer;
  try {
    bytes = readFileSync(join(directory, COMMITS_FILE));
  } catch {
    return 0;
  }
  return bytes.length < COUNT_BYTES ? 0 : Number(bytes.readBigUInt64LE());
}
