/** What wrangler.toml says of a deployment: nothing else knows the names of databases and queues. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "smol-toml";
import { z } from "zod";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Stands where nobody has made the database yet. */
const PLACEHOLDER_ID = "00000000-0000-0000-0000-000000000000";

const databaseSchema = z.object({ binding: z.string(), database_name: z.string(), database_id: z.string() });

const environmentSchema = z.object({
  name: z.string().optional(),
  d1_databases: z.array(databaseSchema).min(1),
  queues: z.object({
    producers: z.array(z.object({ queue: z.string() })),
    consumers: z.array(z.object({ queue: z.string(), dead_letter_queue: z.string().optional() })),
  }),
  r2_buckets: z.array(z.object({ binding: z.string(), bucket_name: z.string() })).default([]),
  ratelimits: z.array(z.object({ name: z.string(), namespace_id: z.string() })).default([]),
  vars: z.record(z.string(), z.string()).default({}),
});
const configurationSchema = environmentSchema.extend({
  name: z.string(),
  env: z.record(z.string(), z.unknown()).default({}),
});

export interface LedgerDatabase {
  readonly binding: string;
  readonly name: string;
  /** Null where none was filled in. */
  readonly id: string | null;
}

export interface Deployment {
  /** Null: the top level of the file. */
  readonly env: string | null;
  /** The Worker's name in the account. */
  readonly worker: string;
  readonly databases: readonly LedgerDatabase[];
  /** Every queue it sends to, consumes or leaves dead letters in, each once. */
  readonly queues: readonly string[];
  readonly buckets: readonly string[];
  readonly vars: Readonly<Record<string, string>>;
}

/**
 * A deployment as wrangler reads it: an environment has no binding of the top level's, and its Worker's name is NAME-ENV.
 * @throws Error naming what the file lacks, or the environments that it has.
 */
export function readDeployment(env: string | null, file = join(ROOT, "wrangler.toml")): Deployment {
  return deploymentOf(parse(readFileSync(file, "utf8")), env);
}

/** @param document wrangler.toml, parsed. */
export function deploymentOf(document: unknown, env: string | null): Deployment {
  const top = checked(configurationSchema, document, "wrangler.toml");
  const own = env === null ? undefined : top.env[env];
  if (env !== null && own === undefined) {
    const there = Object.keys(top.env).map((name) => `"${name}"`);
    throw new Error(`wrangler.toml has no [env.${env}]; it has ${there.join(", ") || "no environment"}`);
  }
  const chosen = env === null ? top : checked(environmentSchema, own, `wrangler.toml, [env.${env}]`);
  const { d1_databases, queues, r2_buckets, vars } = chosen;
  const names = [
    ...queues.producers.map(({ queue }) => queue),
    ...queues.consumers.flatMap(({ queue, dead_letter_queue }) => [queue, dead_letter_queue ?? queue]),
  ];
  return {
    env,
    worker: env === null ? top.name : (chosen.name ?? `${top.name}-${env}`),
    databases: d1_databases.map(({ binding, database_name, database_id }) => ({
      binding,
      name: database_name,
      id: database_id === PLACEHOLDER_ID || database_id === "" ? null : database_id,
    })),
    queues: [...new Set(names)],
    buckets: r2_buckets.map(({ bucket_name }) => bucket_name),
    vars,
  };
}

function checked<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new Error(
    `${where}: ${parsed.error.issues.map(({ path, message }) => `${path.join(".")} ${message}`).join("; ")}`,
  );
}
