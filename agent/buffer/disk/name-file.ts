/** A producer's name that was made up belongs to the directory: a new log in it goes on under the same one. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PRODUCER_PATTERN } from "../../../shared/wire.ts";
import { replaceFile } from "./directory.ts";

export const NAME_FILE = "name";

/** The name that was kept; null where there is none. */
export function readName(directory: string): string | null {
  try {
    const name = readFileSync(join(directory, NAME_FILE), "utf8");
    // Earlier versions did not sync it: a power cut may have left an empty one.
    return PRODUCER_PATTERN.test(name) ? name : null;
  } catch {
    // None was made yet.
    return null;
  }
}

export function keepName(directory: string, name: string): void {
  try {
    replaceFile(join(directory, NAME_FILE), name);
  } catch {
    // A convenience only: without it a log that replaces a damaged one makes up a new name.
  }
}
