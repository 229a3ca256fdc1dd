import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TempDir {
  readonly path: string;
  remove(): void;
}

const made = new Set<string>();
process.on("exit", () => {
  for (const path of made) rmSync(path, { recursive: true, force: true });
});

/** In memory where there is such a place: for tests whose many commits would each wait for a disk. */
export const FAST_PARENT = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** A new directory in `parent`; removed by `remove()`, at the latest when this process ends. */
export function tempDir(name = "weir", parent = tmpdir()): TempDir {
  const path = mkdtempSync(join(parent, `${name}-`));
  made.add(path);
  const remove = () => {
    rmSync(path, { recursive: true, force: true });
    made.delete(path);
  };
  return { path, remove };
}
