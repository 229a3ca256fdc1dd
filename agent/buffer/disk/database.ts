/** Opens the buffer's database file: private, safe against power loss; and reads SQLite's error codes. */
import { chmodSync, closeSync, existsSync, openSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AgentError } from "../../runtime/agent-error.ts";
import { fileErrorText } from "../../runtime/file-error.ts";
import { upgrade } from "../tables/schema.ts";
import type { Bounds } from "./bounds.ts";
import { RESERVE_FILE } from "./reserve.ts";
import { WAL_HEADER_BYTES, walDamage } from "./wal-check.ts";

export const BUFFER_FILE = "buffer.db";
/** Asks the next opening to check the whole file, however large. */
export const SUSPECT_FILE = "suspect";

const PAGE_BYTES = 4096;

/**
 * What only the files themselves can tell, looked at before SQLite does: it would heal each of these by
 * forgetting, and positions that were answered for would be given again.
 * @returns the damage in words; null where there is none to be seen.
 */
export function visibleDamage(directory: string): string | null {
  const path = join(directory, BUFFER_FILE);
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? null;
  const walSize = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? null;
  if (size === null) return walSize === null ? null : "its main file is missing";
  if (size === 0) {
    const wasWritten = (walSize ?? 0) > 0 || existsSync(join(directory, RESERVE_FILE));
    return wasWritten ? "its main file is empty" : null;
  }
  return walSize === null ? null : walDamage(readFileSync(`${path}-wal`));
}

/** Whether there is a write-ahead log with anything in it. */
export function hasWriteAheadLog(directory: string): boolean {
  const size = statSync(join(directory, `${BUFFER_FILE}-wal`), { throwIfNoEntry: false })?.size ?? 0;
  return size > WAL_HEADER_BYTES;
}

/** Opens the database for its one writer, making it if there is none; the caller has the directory's lock. */
export function openDatabase(directory: string, bounds: Bounds): DatabaseSync {
  const path = join(directory, BUFFER_FILE);
  // Made here, because SQLite would make it readable to all; its WAL takes over the mode of the file.
  closeSync(openSync(path, "a", 0o600));
  chmodSync(path, 0o600);
  // Setting the mode writes, also where it is set already: an existing file has to open without a byte free.
  const vacuum = statSync(path).size === 0 ? "PRAGMA auto_vacuum = INCREMENTAL;" : "";
  const db = new DatabaseSync(path, { timeout: 0 });
  try {
    // Exclusive before WAL: then the WAL's index stays in our memory. Pages of 4096 bytes and a cache of 2 MB,
    // which is what a drain of any length needs.
    db.exec(`PRAGMA locking_mode = EXCLUSIVE; ${vacuum} PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -2000;
      PRAGMA journal_size_limit = ${bounds.checkpointBytes};
      PRAGMA wal_autocheckpoint = ${Math.ceil(bounds.checkpointBytes / PAGE_BYTES)};
      BEGIN IMMEDIATE; COMMIT`);
    upgrade(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Carries everything over into the main file and closes it; where that is not possible the next opening does it. */
export function closeDatabase(db: DatabaseSync): void {
  try {
    db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch (error) {
    if (!isDiskFull(error)) throw error;
  } finally {
    db.close();
  }
}

export function markSuspect(directory: string): void {
  closeSync(openSync(join(directory, SUSPECT_FILE), "a", 0o600));
}

export function isSuspect(directory: string): boolean {
  return existsSync(join(directory, SUSPECT_FILE));
}

export function clearSuspect(directory: string): void {
  rmSync(join(directory, SUSPECT_FILE), { force: true });
}

const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/** The file is not what was written, or never was ours. */
export function isDamage(error: unknown): boolean {
  const code = errcodeOf(error);
  return code !== null && ((code & 0xff) === SQLITE_CORRUPT || code === SQLITE_NOTADB);
}

/** An error of opening or reading as the coded error it stands for. */
export function translate(error: unknown, directory: string): unknown {
  if (error instanceof AgentError) return error;
  const code = errcodeOf(error);
  if (code === SQLITE_BUSY) {
    return new AgentError("BUFFER_HELD", `another process holds the buffer in ${directory}`, { cause: error });
  }
  const own = code === SQLITE_NOTADB ? "BUFFER_FOREIGN" : "BUFFER_BROKEN";
  return new AgentError(
    own,
    `cannot open the buffer in ${directory}: ${fileErrorText(error)}; the agent's user must be able to write there`,
    { cause: error },
  );
}

function errcodeOf(error: unknown): number | null {
  if (!(error instanceof Error) || !("errcode" in error)) return null;
  return typeof error.errcode === "number" ? error.errcode : null;
}

const SQLITE_FULL = 13;
// EDQUOT and the like: SQLite tells only ENOSPC apart from other failures to write.
const SQLITE_IOERR_WRITE = 778;

/** No room on the disk, or in the quota. */
export function isDiskFull(error: unknown): boolean {
  const code = errcodeOf(error);
  return code === SQLITE_FULL || code === SQLITE_IOERR_WRITE;
}
