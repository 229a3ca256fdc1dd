/**
 * The reserve: a file of written bytes that is given up where the disk is full, because SQLite needs room even to
 * delete. While it is gone nothing new is taken in: what room there is belongs to draining.
 */
import { randomFillSync } from "node:crypto";
import { closeSync, fsyncSync, openSync, renameSync, rmSync, statfsSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";

export interface Reserve {
  /** All of it is there. */
  readonly whole: boolean;
  /** Gives it up; false where there was none to give. */
  spend(): boolean;
  /** Makes it whole again if the disk has room; asks the disk at most once a second. */
  restore(): void;
}

export const RESERVE_FILE = "reserve";

const CHUNK_BYTES = 256 * 1024;
const AGAIN_MS = 1000;
/** After a write that failed although the disk told of room: a quota, which it does not tell of. */
const AGAIN_AFTER_FAILURE_MS = 4000;

/** @param tick milliseconds that never jump. */
export function openReserve(directory: string, bytes: number, tick: () => number): Reserve {
  const path = join(directory, RESERVE_FILE);
  // One that was not finished, by a crash: it is made anew, and takes room meanwhile.
  rmSync(partOf(path), { force: true });
  const size = () => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  let whole = size() >= bytes;
  let againAt = 0;
  return {
    get whole() {
      return whole;
    },
    spend() {
      whole = false;
      againAt = tick() + AGAIN_MS;
      const had = size() > 0;
      rmSync(path, { force: true });
      return had;
    },
    restore() {
      if (whole || tick() < againAt) return;
      againAt = tick() + AGAIN_MS;
      const { bavail, bsize } = statfsSync(directory);
      // A little more than needed, so that the room is not given to the reserve and taken from it by turns.
      if (bavail * bsize < 1.25 * bytes) return;
      whole = write(path, bytes);
      if (!whole) againAt = tick() + AGAIN_AFTER_FAILURE_MS;
    },
  };
}

const partOf = (path: string) => `${path}.part`;

/** Under its own name only once all of it is on disk: after a power cut a size alone may be there, without bytes. */
function write(path: string, bytes: number): boolean {
  rmSync(path, { force: true });
  const part = partOf(path);
  const file = openSync(part, "w", 0o600);
  try {
    // Random, so that no file system stores less than was written.
    const chunk = randomFillSync(Buffer.alloc(CHUNK_BYTES));
    for (let at = 0; at < bytes; ) at += writeSync(file, chunk, 0, Math.min(CHUNK_BYTES, bytes - at));
    fsyncSync(file);
    renameSync(part, path);
    return true;
  } catch (error) {
    rmSync(part, { force: true });
    if (!isNoRoom(error)) throw error;
    return false;
  } finally {
    closeSync(file);
  }
}

/** A file call that failed for want of room or quota. */
export function isNoRoom(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : null;
  return code === "ENOSPC" || code === "EDQUOT";
}
