/** Whether the followed files can be followed. */
import { accessSync, constants, type Stats, statSync } from "node:fs";
import { dirname } from "node:path";
import type { Config } from "../config/config.ts";
import { fileErrorText } from "../runtime/file-error.ts";
import { type Finding, failed } from "./finding.ts";

export function checkTailFiles({ tails }: Config): Finding[] {
  const followed = new Map<string, string>();
  return tails.flatMap(({ path }): Finding[] => {
    try {
      accessSync(dirname(path), constants.R_OK | constants.X_OK);
      const found = statSync(path, { throwIfNoEntry: false });
      // One that is not there yet is waited for.
      if (found === undefined) return [];
      if (!found.isFile()) return [failed("configuration", `[[tail]] ${path}: is no file`)];
      accessSync(path, constants.R_OK);
      const other = followed.get(identityOf(found));
      followed.set(identityOf(found), path);
      if (other === undefined) return [];
      return [failed("configuration", `[[tail]] ${path}: is the same file as ${other}; each line would count twice`)];
    } catch (error) {
      return [failed("configuration", `[[tail]] ${path}: cannot be read: ${fileErrorText(error)}`)];
    }
  });
}

function identityOf({ dev, ino }: Stats): string {
  return `${dev}:${ino}`;
}
