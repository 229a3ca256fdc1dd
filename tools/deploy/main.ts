/** `npm run deploy`: everything that a first or later deployment needs, each step shown. It may be run again at any time. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, Option } from "commander";
import { z } from "zod";
import { runCommandLine, UsageError } from "../processes/command-line.ts";
import { spawnNode } from "../processes/node-process.ts";
import { tempDir } from "../processes/temp-dir.ts";
import { shellText, WRANGLER } from "../wrangler/commands.ts";
import { ROOT, readDeployment } from "../wrangler/configuration.ts";
import { runWrangler } from "../wrangler/run.ts";
import { deploy, plannedCommands } from "./steps.ts";

const SMOKE = fileURLToPath(new URL("../smoke/main.ts", import.meta.url));

const AFTER = `
Says what the account lacks, with the command that makes it, and changes nothing until all of it is there. Then applies
the migrations of each database, deploys, and runs the smoke test with the key in WEIR_KEY, where there is one.
Further flags go to \`wrangler deploy\`.`;

interface Flags {
  readonly env?: string;
  readonly dryRun?: true;
  readonly location?: string;
  readonly jurisdiction?: string;
  readonly url?: string;
}

const program = new Command("npm run deploy --")
  .description("Brings the edge to Cloudflare: bindings, migrations, the Worker, the smoke test.")
  .option("--env <name>", "the deployment [env.NAME] of wrangler.toml")
  .option("--dry-run", "list every command and build the Worker, without an account or a network")
  .addOption(
    new Option("--location <hint>", "near which a database that is missing is to be made").choices([
      "weur",
      "eeur",
      "apac",
      "oc",
      "wnam",
      "enam",
    ]),
  )
  .addOption(
    new Option("--jurisdiction <name>", "that a database or queue that is missing may not leave").choices([
      "eu",
      "us",
      "fedramp",
    ]),
  )
  .option("--url <url>", "where the smoke test goes (default: the address that wrangler prints)")
  .allowUnknownOption()
  .allowExcessArguments()
  .addHelpText("after", AFTER)
  .action(async (flags: Flags, command: Command) => {
    process.exitCode = await run(flags, command.args);
  });

await runCommandLine(program);

async function run(wanted: Flags, further: readonly string[]): Promise<number> {
  const { env = null, dryRun, location, jurisdiction, url } = wanted;
  if (location !== undefined && jurisdiction !== undefined)
    throw new UsageError("a jurisdiction says where already: leave --location out");
  const deployment = readDeployment(env);
  const options = { place: { location, jurisdiction }, flags: further, url: url ?? null };
  if (dryRun === true) {
    console.log(`A deployment of ${deployment.worker} runs, in this order:`);
    for (const line of plannedCommands(deployment, options)) console.log(`  ${line}`);
    const args = WRANGLER.dryDeploy(env, further);
    console.log(`Of it now, and offline: ${shellText(args)}`);
    return (await runWrangler(args, { isShown: true })).code === 0 ? 0 : 1;
  }
  const report = join(tempDir("weir-deploy").path, "wrangler.ndjson");
  // Wrangler writes what it did there, beside what it prints for people.
  process.env["WRANGLER_OUTPUT_FILE_PATH"] = report;
  return deploy(deployment, options, {
    run: runWrangler,
    say: (line) => console.log(line),
    migrations: readdirSync(join(ROOT, "migrations"))
      .filter((name) => name.endsWith(".sql"))
      .sort(),
    targets: () => reportedTargets(report),
    smoke: smokeTest,
  });
}

const reportSchema = z.object({ type: z.literal("deploy"), targets: z.array(z.string()).default([]) });

function reportedTargets(report: string): string[] {
  const lines = readFileSync(report, "utf8")
    .split("\n")
    .filter((line) => line !== "");
  return lines.flatMap((line) => reportSchema.safeParse(JSON.parse(line)).data?.targets ?? []);
}

async function smokeTest(url: string): Promise<number | null> {
  if ((process.env["WEIR_KEY"] ?? "") === "") return null;
  const smoke = spawnNode(SMOKE, [url], { cwd: ROOT });
  const { code } = await smoke.exited;
  process.stdout.write(smoke.stdout());
  process.stderr.write(smoke.stderr());
  return code ?? 1;
}
