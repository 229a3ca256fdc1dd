/**
 * `npm run deploy`: applies the migrations to the remote database, then deploys the Worker. The order matters: the
 * new Worker may need a column that the old one merely ignores.
 * `--dry-run` builds and checks without an account or a network; further flags go to `wrangler deploy`.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "smol-toml";
import { z } from "zod";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PLACEHOLDER_ID = "00000000-0000-0000-0000-000000000000";

const wranglerSchema = z.object({
  d1_databases: z.array(z.object({ database_name: z.string(), database_id: z.string() })).length(1),
});

const args = process.argv.slice(2);
process.exitCode = await run();

async function run(): Promise<number> {
  if (args.includes("--dry-run")) return wrangler(["deploy", ...args]);
  const { d1_databases } = wranglerSchema.parse(parse(readFileSync(join(ROOT, "wrangler.toml"), "utf8")));
  const name = d1_databases[0]?.database_name ?? "";
  if (d1_databases[0]?.database_id === PLACEHOLDER_ID) {
    console.error(
      `wrangler.toml has no database yet: put the id that \`npx wrangler d1 create ${name}\` prints into it.`,
    );
    return 1;
  }
  const migrated = await wrangler(["d1", "migrations", "apply", name, "--remote"]);
  return migrated === 0 ? wrangler(["deploy", ...args]) : migrated;
}

/** Runs wrangler on this terminal and gives its exit code. */
async function wrangler(wranglerArgs: readonly string[]): Promise<number> {
  const manifest = createRequire(import.meta.url).resolve("wrangler/package.json");
  const child = spawn(process.execPath, [join(dirname(manifest), "bin/wrangler.js"), ...wranglerArgs], {
    cwd: ROOT,
    stdio: "inherit",
    env: { ...process.env, WRANGLER_SEND_METRICS: "false" },
  });
  // A signal to the group reaches wrangler by itself; passed on, it reaches it where only this process got it.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => child.kill(signal));
  const [code] = (await once(child, "close")) as [number | null];
  return code ?? 1;
}
