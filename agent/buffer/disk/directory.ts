import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

/** Makes names in a directory as durable as the files they stand for. */
export function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Makes a private directory, and those above it that are missing, with names that outlast a power cut. */
export function makeDirectory(path: string): void {
  const first = mkdirSync(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  const highest = dirname(resolve(first));
  for (let above = dirname(resolve(path)); above.length >= highest.length; above = dirname(above)) {
    syncDirectory(above);
    if (above === highest) break;
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
