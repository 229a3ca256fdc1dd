/**
 * Whether a directory is fit to hold a buffer. Whoever else may write in it could replace the log, or have the agent write
 * through a link where he may not himself: such a directory is refused, and so is what lies under one of our names and is
 * none of our files. Looked at before anything in it is opened, since opening a named pipe would wait for ever.
 */
import { lstatSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { AgentError } from "../../runtime/agent-error.ts";
import { COMMITS_FILE } from "./commit-count.ts";
import { BUFFER_FILE, SUSPECT_FILE } from "./database.ts";
import { LOCK_FILE } from "./lock.ts";
import { NAME_FILE } from "./name-file.ts";
import { RESERVE_FILE } from "./reserve.ts";
import { DAMAGED_DIRECTORY } from "./set-aside.ts";

const OWN_FILES = [
  ...[LOCK_FILE, COMMITS_FILE, SUSPECT_FILE, NAME_FILE, RESERVE_FILE, `${NAME_FILE}.part`, `${RESERVE_FILE}.part`],
  ...["", "-wal", "-shm", "-journal"].map((suffix) => `${BUFFER_FILE}${suffix}`),
];

const ROOT = 0;
const WRITABLE_BY_ALL = 0o002;

/**
 * Why a directory cannot hold this user's buffer, in words that say what to do; null where it can, or is not there yet.
 * @throws the system's error where it cannot be looked at.
 */
export function whyUnfit(directory: string, user = process.getuid?.()): string | null {
  const found = statSync(directory, { throwIfNoEntry: false });
  if (found === undefined) return null;
  if (!found.isDirectory()) return `${kindOf(found)} is there, not a directory`;
  return whyOpenToOthers(directory) ?? whyForeign(found, user) ?? whyNotOurs(directory);
}

/** @throws AgentError BUFFER_UNSAFE where it is not fit. */
export function demandFit(directory: string): void {
  const why = whyUnfit(directory);
  if (why !== null) throw new AgentError("BUFFER_UNSAFE", `buffer.path: ${directory} cannot be used: ${why}`);
}

/** Whether every user of the machine may put files there, in words; null for one that is closed to them. */
export function whyOpenToOthers(directory: string): string | null {
  const { mode } = statSync(directory);
  if ((mode & WRITABLE_BY_ALL) === 0) return null;
  const octal = (mode & 0o7777).toString(8);
  return `every user of this machine may write there (mode ${octal}); chmod 700 it, or choose a directory of the agent's own`;
}

function whyForeign({ uid }: Stats, user: number | undefined): string | null {
  if (user === undefined || uid === user || uid === ROOT) return null;
  return `it belongs to user ${uid}, this is user ${user}; run as that user, or chown it to this one`;
}

function whyNotOurs(directory: string): string | null {
  for (const name of OWN_FILES) {
    const why = whyNotRegular(join(directory, name));
    if (why !== null) return why;
  }
  const damaged = lstatSync(join(directory, DAMAGED_DIRECTORY), { throwIfNoEntry: false });
  if (damaged === undefined || damaged.isDirectory()) return null;
  return notOurs(join(directory, DAMAGED_DIRECTORY), damaged);
}

/** What lies where one of our files belongs and is none, in words; null for a regular file, or nothing. */
export function whyNotRegular(path: string): string | null {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found === undefined || found.isFile() ? null : notOurs(path, found);
}

function notOurs(path: string, found: Stats): string {
  return `${path} is ${kindOf(found)}, which the agent does not make and does not follow; find out who made it, and remove it`;
}

function kindOf(found: Stats): string {
  if (found.isFile()) return "a file";
  if (found.isDirectory()) return "a directory";
  if (found.isSymbolicLink()) return "a symbolic link";
  if (found.isFIFO()) return "a named pipe";
  return found.isSocket() ? "a socket" : "a device";
}
