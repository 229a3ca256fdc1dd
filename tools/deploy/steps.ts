/**
 * The steps of a deployment, in their order: what is there, migrations, the Worker, the smoke test. Migrations come first,
 * since the new Worker may need a column that the old one merely ignores; whatever fails ends it.
 */
import { z } from "zod";
import { type Place, shellText, WRANGLER } from "../wrangler/commands.ts";
import type { Deployment } from "../wrangler/configuration.ts";
import type { RunWrangler } from "../wrangler/run.ts";
import { type Finding, findings, secretRules } from "./findings.ts";

export interface DeployOptions {
  readonly place: Place;
  /** Further flags of `wrangler deploy`. */
  readonly flags: readonly string[];
  /** Where the smoke test goes; null: to the address that wrangler prints. */
  readonly url: string | null;
}

/** What a step does to the world beside wrangler. */
export interface DeployWorld {
  readonly run: RunWrangler;
  readonly say: (line: string) => void;
  /** File names of migrations/, in order. */
  readonly migrations: readonly string[];
  /** Addresses that the last `wrangler deploy` reported. */
  readonly targets: () => readonly string[];
  /** @returns its exit code; null where there is no key to test with. */
  readonly smoke: (url: string) => Promise<number | null>;
}

/** @returns the exit code. @throws Error where wrangler could not be asked. */
export async function deploy(deployment: Deployment, options: DeployOptions, world: DeployWorld): Promise<number> {
  const { run, say } = world;
  const { env, worker } = deployment;
  say(`1. What ${worker} needs`);
  const found = await findings(deployment, options.place, run);
  for (const finding of found) say(`   ${findingText(finding)}`);
  if (found.some(({ kind }) => kind === "missing" || kind === "mismatch")) {
    say("Nothing was changed. Run what stands there, then this again.");
    return 1;
  }
  say("2. Migrations");
  for (const { name } of deployment.databases) {
    if (!(await migrate(name, env, world))) return 1;
  }
  say("3. The Worker");
  const args = WRANGLER.deploy(env, options.flags);
  say(`   ${shellText(args)}`);
  const { code } = await run(args, { isShown: true });
  if (code !== 0) {
    say("The Worker was not deployed; the old one goes on, and the migrations do not disturb it.");
    return 1;
  }
  say("4. Smoke test");
  return smokeTest(deployment, options.url ?? addressOf(world.targets()), world);
}

function findingText(finding: Finding): string {
  switch (finding.kind) {
    case "there":
      return `ok       ${finding.what}`;
    case "missing":
      return `MISSING  ${finding.what}: ${shellText(finding.command)}${finding.then === undefined ? "" : ` (${finding.then})`}`;
    case "mismatch":
      return `WRONG    ${finding.what}: ${finding.note}`;
    case "optional":
      return `not set  ${finding.what}, ${finding.note}: ${shellText(finding.command)}`;
  }
}

const APPLIED = "SELECT name FROM d1_migrations";
const appliedSchema = z.array(z.object({ results: z.array(z.object({ name: z.string() })) }));

/**
 * Applies what a database lacks. Wrangler ends with 0 when a person answers no to its question, so that only the database
 * itself can say whether it was done.
 */
async function migrate(database: string, env: string | null, { run, say, migrations }: DeployWorld): Promise<boolean> {
  const args = WRANGLER.migrate(database, env);
  say(`   ${shellText(args)}`);
  const { code } = await run(args, { isShown: true });
  if (code !== 0) {
    say(`The migrations of ${database} failed, so nothing is deployed.`);
    return false;
  }
  const { stdout } = await run(WRANGLER.execute(database, APPLIED, env, ["--remote"]), { isShown: false });
  const applied = appliedNames(stdout);
  const left = migrations.filter((name) => !applied.has(name));
  if (left.length === 0) return true;
  say(`${database} lacks ${left.join(", ")}: the migrations were refused, so nothing is deployed.`);
  return false;
}

function appliedNames(stdout: string): ReadonlySet<string> {
  const start = stdout.search(/^[[{]/m);
  const parsed = appliedSchema.safeParse(start < 0 ? null : JSON.parse(stdout.slice(start)));
  return new Set(parsed.data?.flatMap(({ results }) => results.map(({ name }) => name)));
}

/** @param targets as wrangler reports them: addresses, domains, but also queues and crons. */
export function addressOf(targets: readonly string[]): string | null {
  const domain = targets.map((target) => /^(\S+) \(custom domain/.exec(target)?.[1]).find((name) => name !== undefined);
  if (domain !== undefined) return `https://${domain}`;
  return targets.find((target) => /^https:\/\/[^/\s]+$/.test(target)) ?? null;
}

async function smokeTest({ env }: Deployment, url: string | null, { say, smoke }: DeployWorld): Promise<number> {
  if (url === null) {
    say("   wrangler named no address; run it yourself: WEIR_KEY=… npm run smoke -- https://…");
    return 0;
  }
  const code = await smoke(url);
  if (code !== null) return code;
  const place = env === null ? "--remote" : `--remote --env ${env}`;
  say("   WEIR_KEY holds no key to test with. The first one:");
  say(
    `   npm run -s admin -- create-key --tenant main --permissions METER_DATA.INGEST,WEIR.ADMIN,WEIR.OPERATOR ${place}`,
  );
  say(`   then: WEIR_KEY=… npm run smoke -- ${url}`);
  return 0;
}

/** Every command that a deployment may run or ask for, in order; for a dry run. */
export function plannedCommands(deployment: Deployment, { place, flags, url }: DeployOptions): string[] {
  const { env, databases, queues, buckets, vars } = deployment;
  const ifMissing = (args: readonly string[]) => `  where it is missing: ${shellText(args)}`;
  return [
    shellText(WRANGLER.listDatabases()),
    ...databases.map(({ name }) => ifMissing(WRANGLER.createDatabase(name, place))),
    ...queues.flatMap((queue) => [shellText(WRANGLER.queueInfo(queue)), ifMissing(WRANGLER.createQueue(queue, place))]),
    ...buckets.flatMap((bucket) => [
      shellText(WRANGLER.bucketInfo(bucket, place)),
      ifMissing(WRANGLER.createBucket(bucket, place)),
    ]),
    shellText(WRANGLER.listSecrets(env)),
    ...secretRules(vars).map(({ name }) => ifMissing(WRANGLER.putSecret(name, env))),
    ...databases.flatMap(({ name }) => [
      shellText(WRANGLER.migrate(name, env)),
      shellText(WRANGLER.execute(name, APPLIED, env, ["--remote"])),
    ]),
    shellText(WRANGLER.deploy(env, flags)),
    `npm run smoke -- ${url ?? "URL"}`,
  ];
}
