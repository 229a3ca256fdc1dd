/** Fails where the OpenAPI document is not sound: redocly, offline, must find no error in what the Worker would serve. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "weir-openapi-"));
try {
  const file = join(folder, "openapi.json");
  writeFileSync(file, execFileSync(process.execPath, [join(root, "tools/openapi/main.ts")]));
  // In an empty folder, so that no configuration but the one named is found.
  const run = spawnSync(join(root, "node_modules/.bin/redocly"), ["lint", file, "--extends", "recommended-strict"], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" },
  });
  if (run.status !== 0) {
    process.stderr.write(`${run.stdout}${run.stderr}${run.error === undefined ? "" : `${run.error.message}\n`}`);
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
