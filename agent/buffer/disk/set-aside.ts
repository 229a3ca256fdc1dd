/** A damaged log is moved away whole, with a note that says why; it is never deleted and never written again. */
import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { COMMITS_FILE } from "./commit-count.ts";
import { BUFFER_FILE } from "./database.ts";
import { syncDirectory } from "./directory.ts";

/** Holds a directory for each log that was set aside. What is in it does not count against the buffer's bound. */
export const DAMAGED_DIRECTORY = "damaged";

export interface SetAside {
  readonly directory: string;
  readonly reason: string;
}

/** @param now milliseconds since 1970, for the directory's name. */
export function setAside(directory: string, reason: string, now: number): SetAside {
  const target = freshDirectory(join(directory, DAMAGED_DIRECTORY), new Date(now).toISOString().replaceAll(":", ""));
  for (const name of [
    `${BUFFER_FILE}-wal`,
    `${BUFFER_FILE}-shm`,
    `${BUFFER_FILE}-journal`,
    COMMITS_FILE,
    BUFFER_FILE,
  ]) {
    if (existsSync(join(directory, name))) renameSync(join(directory, name), join(target, name));
  }
  syncDirectory(target);
  syncDirectory(join(directory, DAMAGED_DIRECTORY));
  syncDirectory(directory);
  try {
    writeFileSync(join(target, "reason.txt"), `${reason}\n`, { mode: 0o600 });
  } catch {
    // A full disk: the reason is in the agent's own log as well.
  }
  return { directory: target, reason };
}

function freshDirectory(parent: string, name: string): string {
  mkdirSync(parent, { recursive: true, mode: 0o700 });
  for (let number = 0; ; number++) {
    const path = join(parent, number === 0 ? name : `${name}-${number}`);
    try {
      mkdirSync(path, { mode: 0o700 });
      return path;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
  }
}

/** The logs that were set aside and are still there. */
export function listSetAside(directory: string): string[] {
  const parent = join(directory, DAMAGED_DIRECTORY);
  return existsSync(parent) ? readdirSync(parent).map((name) => join(parent, name)) : [];
}
