import { mkdtempSync, rmSync } from "node:fs";
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

/** A new directory; removed by `remove()`, at the latest when this process ends. */
export function tempDir(name = "weir", parent = tmpdir()): TempDir {
  const path = mkdtempSync(join(parent, `${name}-`));
  made.add(path);
  const remove = () => {
    rmSync(path, { recursive: true, force: true });
    made.delete(path);
  };
  return { path, remove };
}
