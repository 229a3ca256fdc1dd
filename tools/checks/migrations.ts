/** Fails where the schema has changed and no migration says so: drizzle-kit, run on a copy, must find nothing to do. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const copy = mkdtempSync(join(tmpdir(), "weir-migrations-"));
try {
  cpSync(join(root, "migrations"), copy, { recursive: true });
  const before = readdirSync(copy).length;
  const args = ["generate", "--dialect", "sqlite", "--schema", join(root, "worker/database/schema.ts"), "--out", copy];
  const run = spawnSync(join(root, "node_modules/.bin/drizzle-kit"), args, { cwd: root, encoding: "utf8" });
  if (run.status !== 0) {
    process.stderr.write(run.stdout + run.stderr);
    process.exitCode = 1;
  } else if (readdirSync(copy).length !== before) {
    process.stderr.write("the schema has changed: run `npm run migrations` and commit what it writes\n");
    process.exitCode = 1;
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
