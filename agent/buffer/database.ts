/** Opens the buffer's database file: private, locked, safe against power loss; and reads SQLite's error codes. */
import { chmodSync, closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AgentFault, messageOf } from "../fault.ts";
import { upgrade } from "./schema.ts";

export const BUFFER_FILE = "buffer.db";

/**
 * Opens the buffer's database for its one writer, making it if there is none.
 * @throws AgentFault BUFFER_HELD, BUFFER_FOREIGN or BUFFER_BROKEN.
 */
export function openDatabase(directory: string): DatabaseSync {
  const db = openFile(directory);
  try {
    // Exclusive before WAL: then the WAL's index stays in our memory and no other process gets in. The lock is
    // the system's own and ends with this process, however that ends.
    db.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 4194304;
      BEGIN IMMEDIATE; COMMIT`);
    upgrade(db);
    return db;
  } catch (error) {
    db.close();
    throw translate(error, directory);
  }
}

function openFile(directory: string): DatabaseSync {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const path = join(directory, BUFFER_FILE);
    // Made here, because SQLite would make it readable to all; its WAL takes over the mode of the file.
    closeSync(openSync(path, "a", 0o600));
    chmodSync(path, 0o600);
    return new DatabaseSync(path, { timeout: 0 });
  } catch (error) {
    throw translate(error, directory);
  }
}

const SQLITE_BUSY = 5;
const SQLITE_NOTADB = 26;

/** An error of opening or reading as the fault it stands for. */
export function translate(error: unknown, directory: string): unknown {
  if (error instanceof AgentFault) return error;
  const code = errcodeOf(error);
  if (code === SQLITE_BUSY) {
    return new AgentFault("BUFFER_HELD", `another process holds the buffer in ${directory}`, { cause: error });
  }
  const fault = code === SQLITE_NOTADB ? "BUFFER_FOREIGN" : "BUFFER_BROKEN";
  return new AgentFault(fault, `cannot open the buffer in ${directory}: ${messageOf(error)}`, { cause: error });
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
