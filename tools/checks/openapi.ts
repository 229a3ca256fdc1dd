/** Fails where the OpenAPI document is not sound: redocly, offline, must find no error in what the Worker would serve. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createDocument } from "../../worker/openapi/document.ts";

/** Wants a 4xx of every operation; /healthz and its like take nothing that a client could get wrong. */
const RULES_SKIPPED = ["operation-4xx-response"];

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "weir-openapi-"));
try {
  const file = join(folder, "openapi.json");
  writeFileSync(file, JSON.stringify(createDocument(), null, 2));
  const lint = [
    "lint",
    file,
    "--extends",
    "recommended-strict",
    ...RULES_SKIPPED.flatMap((rule) => ["--skip-rule", rule]),
  ];
  // In an empty folder, so that no configuration but the one named is found.
  const run = spawnSync(join(root, "node_modules/.bin/redocly"), lint, {
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
