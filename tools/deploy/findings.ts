/** What an account has of a deployment, asked of wrangler; nothing here changes anything. */
import { z } from "zod";
import { type Place, WRANGLER } from "../wrangler/commands.ts";
import type { Deployment, LedgerDatabase } from "../wrangler/configuration.ts";
import type { RunWrangler, WranglerResult } from "../wrangler/run.ts";

export type Finding =
  | { readonly kind: "there"; readonly what: string }
  /** Without it the deployment would fail, or lose what it accepts. */
  | { readonly kind: "missing"; readonly what: string; readonly command: readonly string[]; readonly then?: string }
  /** The configuration names something else than the account has. */
  | { readonly kind: "mismatch"; readonly what: string; readonly note: string }
  /** Of use to some deployments only. */
  | { readonly kind: "optional"; readonly what: string; readonly command: readonly string[]; readonly note: string };

const databasesSchema = z.array(z.object({ name: z.string(), uuid: z.string() }));
const secretsSchema = z.array(z.object({ name: z.string() }));

const NOT_THERE = /does not exist|not found|could not find|code: 1000[67]|code: 11000/i;

/** @throws Error where wrangler could not be asked: not logged in, no network. */
export async function findings(deployment: Deployment, place: Place, run: RunWrangler): Promise<Finding[]> {
  const listed = jsonAnswer(await run(WRANGLER.listDatabases(), { isShown: false }), databasesSchema, "databases");
  const databases = deployment.databases.map((database) => databaseFinding(database, listed, place));
  const rest: Finding[] = [];
  for (const queue of deployment.queues) {
    const found = await isThere(WRANGLER.queueInfo(queue), run);
    const what = `queue ${queue}`;
    rest.push(found ? { kind: "there", what } : { kind: "missing", what, command: WRANGLER.createQueue(queue, place) });
  }
  for (const bucket of deployment.buckets) {
    const found = await isThere(WRANGLER.bucketInfo(bucket, place), run);
    const what = `bucket ${bucket}`;
    rest.push(
      found ? { kind: "there", what } : { kind: "missing", what, command: WRANGLER.createBucket(bucket, place) },
    );
  }
  return [...databases, ...rest, ...(await secretFindings(deployment, run))];
}

function databaseFinding(
  { name, id, binding }: LedgerDatabase,
  listed: z.infer<typeof databasesSchema>,
  place: Place,
): Finding {
  const what = `database ${name} (${binding})`;
  const found = listed.find((one) => one.name === name);
  const byId = listed.find((one) => one.uuid === id);
  if (id !== null && byId !== undefined) {
    return byId.name === name
      ? { kind: "there", what }
      : { kind: "mismatch", what, note: `its database_id is that of "${byId.name}"` };
  }
  if (found !== undefined) {
    return { kind: "mismatch", what, note: `put database_id = "${found.uuid}" into wrangler.toml` };
  }
  if (id !== null) return { kind: "mismatch", what, note: "this account has no database of this id or name" };
  const then = `then put the id that it prints into wrangler.toml, database_id of ${name}`;
  return { kind: "missing", what, command: WRANGLER.createDatabase(name, place), then };
}

async function isThere(args: readonly string[], run: RunWrangler): Promise<boolean> {
  const result = await run(args, { isShown: false });
  if (result.code === 0) return true;
  if (NOT_THERE.test(result.stderr + result.stdout)) return false;
  throw unanswered(result, args);
}

interface SecretRule {
  readonly name: string;
  /** Null: only of use to some. */
  readonly isNeeded: boolean;
  readonly note: string;
}

/** Which secrets this configuration means to have. */
export function secretRules(vars: Readonly<Record<string, string>>): SecretRule[] {
  const isSet = (name: string) => (vars[name] ?? "") !== "";
  const zuora = isSet("ZUORA_BASE_URL");
  const solvimon = isSet("SOLVIMON_BASE_URL");
  return [
    { name: "TOKEN_SECRET", isNeeded: true, note: "without it /oauth/token answers 503" },
    { name: "ZUORA_CLIENT_ID", isNeeded: zuora, note: "for Zuora, once ZUORA_BASE_URL is set" },
    { name: "ZUORA_CLIENT_SECRET", isNeeded: zuora, note: "for Zuora, once ZUORA_BASE_URL is set" },
    { name: "SOLVIMON_API_KEY", isNeeded: solvimon, note: "for Solvimon, once SOLVIMON_BASE_URL is set" },
    { name: "DESTINATION_KEY", isNeeded: false, note: "for destinations put over HTTP" },
  ];
}

async function secretFindings({ env, vars }: Deployment, run: RunWrangler): Promise<Finding[]> {
  const args = WRANGLER.listSecrets(env);
  const result = await run(args, { isShown: false });
  // Before the first deployment there is no Worker to have any.
  const isWorkerThere = result.code === 0 || !NOT_THERE.test(result.stderr + result.stdout);
  const names = isWorkerThere ? jsonAnswer(result, secretsSchema, "secrets").map(({ name }) => name) : [];
  return secretRules(vars).map(({ name, isNeeded, note }) => {
    const what = `secret ${name}`;
    const command = WRANGLER.putSecret(name, env);
    if (names.includes(name)) return { kind: "there", what };
    return isNeeded ? { kind: "missing", what, command } : { kind: "optional", what, command, note };
  });
}

function jsonAnswer<T>(result: WranglerResult, schema: z.ZodType<T>, what: string): T {
  const start = result.stdout.search(/^[[{]/m);
  if (result.code === 0 && start >= 0) {
    const parsed = schema.safeParse(JSON.parse(result.stdout.slice(start)));
    if (parsed.success) return parsed.data;
  }
  throw unanswered(result, [`list of ${what}`]);
}

const SHOWN = 1_000;

function unanswered({ code, stdout, stderr }: WranglerResult, args: readonly string[]): Error {
  const said = (stderr.trim() || stdout.trim()).slice(0, SHOWN);
  return new Error(`wrangler (${args.slice(0, 3).join(" ")}) ended with ${code}: ${said}`);
}
