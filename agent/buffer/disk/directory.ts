import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { isFileError } from "../../runtime/file-error.ts";

/** Makes names in a directory as durable as the files they stand for. */
export function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Makes a private directory, and those above it that are missing, with names that outlast a power cut. Step by step: Node's
 * own recursion never ends where a file system lets nobody make one, as /proc does.
 */
export function makeDirectory(path: string): void {
  const missing: string[] = [];
  for (let at = resolve(path); !isThere(at) && at !== dirname(at); at = dirname(at)) missing.push(at);
  for (const directory of missing.reverse()) {
    make(directory);
    syncDirectory(dirname(directory));
  }
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function make(directory: string): void {
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    const code = isFileError(error) ? error.code : undefined;
    // Another process was as quick.
    if (code === "EEXIST" && statSync(directory, { throwIfNoEntry: false })?.isDirectory() === true) return;
    if (code !== "ENOENT") throw error;
    throw new Error(`no directory can be made in ${dirname(directory)} (ENOENT)`, { cause: error });
  }
}

/** Opens a private file, making it; says so where a file system, such as /proc, lets nobody make one. */
export function openMade(path: string, flags: "a" | "wx"): number {
  try {
    return openSync(path, flags, 0o600);
  } catch (error) {
    if (!isFileError(error) || error.code !== "ENOENT") throw error;
    throw new Error(`no file can be made in ${dirname(path)} (ENOENT)`, { cause: error });
  }
}

/** Writes a small private file that is there whole after a power cut, or as it was before. */
export function replaceFile(path: string, content: string): void {
  const directory = dirname(path);
  const part = join(directory, `${basename(path)}.part`);
  writeFileSync(part, content, { mode: 0o600, flush: true });
  renameSync(part, path);
  syncDirectory(directory);
}
