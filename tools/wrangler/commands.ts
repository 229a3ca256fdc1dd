/**
 * Every command of wrangler that Weir's own commands run or tell a person to run, as arguments. A test holds each against
 * the installed wrangler's own help, so that none has a flag that wrangler no longer knows.
 */

/** Where a database may be made; chosen once, it stays. */
export interface Place {
  /** A hint: weur, eeur, apac, oc, wnam, enam. */
  readonly location?: string | undefined;
  /** A promise: eu, us, fedramp. */
  readonly jurisdiction?: string | undefined;
}

/** Says which deployment is meant, the top level too: without it wrangler warns that there are others. */
const envFlag = (env: string | null): string[] => [`--env=${env ?? ""}`];

export const WRANGLER = {
  whoami: (): string[] => ["whoami", "--json"],
  createDatabase: (name: string, { location, jurisdiction }: Place): string[] => [
    ...["d1", "create", name],
    ...(jurisdiction === undefined ? [] : [`--jurisdiction=${jurisdiction}`]),
    ...(location === undefined || jurisdiction !== undefined ? [] : [`--location=${location}`]),
  ],
  listDatabases: (): string[] => ["d1", "list", "--json"],
  migrate: (database: string, env: string | null): string[] => [
    ...["d1", "migrations", "apply", database, "--remote"],
    ...envFlag(env),
  ],
  /** @param where `--remote`, or `--local` with the rest of its flags. */
  execute: (database: string, sql: string, env: string | null, where: readonly string[]): string[] => [
    ...["d1", "execute", database, ...where, "--yes", "--json", `--command=${sql}`],
    ...envFlag(env),
  ],
  createQueue: (name: string, { jurisdiction }: Place): string[] => [
    ...["queues", "create", name],
    ...(jurisdiction === undefined ? [] : [`--jurisdiction=${jurisdiction}`]),
  ],
  queueInfo: (name: string): string[] => ["queues", "info", name],
  createBucket: (name: string, { location, jurisdiction }: Place): string[] => [
    ...["r2", "bucket", "create", name],
    ...(jurisdiction === undefined ? [] : [`--jurisdiction=${jurisdiction}`]),
    ...(location === undefined || jurisdiction !== undefined ? [] : [`--location=${location}`]),
  ],
  bucketInfo: (name: string, { jurisdiction }: Place): string[] => [
    ...["r2", "bucket", "info", name],
    ...(jurisdiction === undefined ? [] : [`--jurisdiction=${jurisdiction}`]),
  ],
  listSecrets: (env: string | null): string[] => ["secret", "list", "--format=json", ...envFlag(env)],
  putSecret: (name: string, env: string | null): string[] => ["secret", "put", name, ...envFlag(env)],
  deploy: (env: string | null, flags: readonly string[]): string[] => ["deploy", ...envFlag(env), ...flags],
  dryDeploy: (env: string | null, flags: readonly string[]): string[] => [
    ...["deploy", "--dry-run", ...envFlag(env), ...flags],
  ],
} as const;

/** A command as a person may paste it into a shell. */
export function shellText(args: readonly string[]): string {
  return ["npx", "wrangler", ...args].map(shellWord).join(" ");
}

function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
