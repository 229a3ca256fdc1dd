import { closeSync, fsyncSync, openSync } from "node:fs";

/** Makes names in a directory as durable as the files they stand for. */
export function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
