/**
 * The edge as `npm run edge` and the tests run it: the real Worker in workerd, with D1 and Queues on disk, set
 * up from wrangler.toml so that what runs here is what gets deployed.
 */
import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { parse } from "smol-toml";
import { z } from "zod";
import { hashApiKey } from "../../worker/accounts/key-hash.ts";
import { migrate } from "../local-ledger/migrate.ts";
import { LOCAL_KEYS } from "../sample/local-keys.ts";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const wranglerSchema = z.object({
  compatibility_date: z.string(),
  compatibility_flags: z.array(z.string()).default([]),
  d1_databases: z.array(z.object({ binding: z.string(), database_name: z.string() })).length(1),
  queues: z.object({
    producers: z.array(z.object({ binding: z.string(), queue: z.string() })),
    consumers: z.array(
      z.object({
        queue: z.string(),
        max_batch_size: z.number(),
        max_batch_timeout: z.number(),
        max_retries: z.number(),
        dead_letter_queue: z.string().optional(),
      }),
    ),
  }),
  vars: z.record(z.string(), z.string()),
});

export interface EdgeOptions {
  readonly port: number;
  /** Folder of D1 and the queues; made where absent. */
  readonly persistTo: string;
  /** Settings over those of wrangler.toml. */
  readonly vars: Readonly<Record<string, string>>;
  /** Milliseconds between sweeps: a deployed Worker's cron has a minute. */
  readonly sweepMs?: number;
  /** Where workerd's inspector listens on 127.0.0.1, 0 for any free port; nowhere where absent. */
  readonly inspectorPort?: number;
  /** Another Worker's entry than the product's, by its path. */
  readonly entry?: string;
}

export interface EdgeServer {
  readonly url: string;
  /** Where its inspector listens; null where it was not asked for. */
  readonly inspectorUrl: string | null;
  close(): Promise<void>;
}

const KEY_ROWS = [
  { id: "key_local_ingest", key: LOCAL_KEYS.ingest, permissions: ["METER_DATA.INGEST"] },
  { id: "key_local_admin", key: LOCAL_KEYS.admin, permissions: ["WEIR.ADMIN", "WEIR.OPERATOR"] },
] as const;

const SWEEP_MS = 2_000;
const SWEEPS_MAX = 4;

/** Builds, migrates and starts the edge. */
export async function startEdge(options: EdgeOptions): Promise<EdgeServer> {
  const miniflare = new Miniflare(await miniflareOptions(options));
  try {
    const url = (await miniflare.ready).origin;
    const db = await miniflare.getD1Database("LEDGER");
    await migrate(db);
    await addLocalKeys(db);
    // One process holds this folder: whatever lease is left in it belonged to a sender that is dead.
    await db.prepare("UPDATE shipments SET lease_until = 0 WHERE state = 'open' AND lease_until > 0").run();
    const sweeping = await startSweep(miniflare, options.sweepMs ?? SWEEP_MS);
    return {
      url,
      inspectorUrl: options.inspectorPort !== undefined ? `http://${(await miniflare.getInspectorURL()).host}` : null,
      async close() {
        await sweeping.stop();
        await miniflare.dispose();
      },
    };
  } catch (error) {
    await miniflare.dispose();
    throw error;
  }
}

async function miniflareOptions({
  port,
  persistTo,
  vars,
  inspectorPort,
  entry,
}: EdgeOptions): Promise<ConstructorParameters<typeof Miniflare>[0]> {
  const wrangler = wranglerSchema.parse(parse(await readFile(join(ROOT, "wrangler.toml"), "utf8")));
  const [database] = wrangler.d1_databases;
  return convertV4MiniflareOptions({
    name: "weir",
    host: "127.0.0.1",
    port,
    log: new Log(LogLevel.ERROR),
    ...(inspectorPort === undefined ? {} : { inspectorPort }),
    modules: true,
    script: await bundleWorker(entry),
    compatibilityDate: wrangler.compatibility_date,
    compatibilityFlags: wrangler.compatibility_flags,
    bindings: { ...wrangler.vars, ...(await localVars(persistTo)), ...vars },
    d1Databases: { [database?.binding ?? "LEDGER"]: database?.database_name ?? "weir" },
    resourcePersistencePath: persistTo,
    queueProducers: Object.fromEntries(
      wrangler.queues.producers.map(({ binding, queue }) => [binding, { queueName: queue }]),
    ),
    queueConsumers: Object.fromEntries(
      wrangler.queues.consumers.map(({ queue, max_batch_size, max_batch_timeout, max_retries, dead_letter_queue }) => [
        queue,
        {
          maxBatchSize: max_batch_size,
          maxBatchTimeout: max_batch_timeout,
          maxRetries: max_retries,
          ...(dead_letter_queue === undefined ? {} : { deadLetterQueue: dead_letter_queue }),
        },
      ]),
    ),
  });
}

/** What a deployed Worker is never given: destinations on this machine, and secrets that nobody set. */
async function localVars(persistTo: string): Promise<Record<string, string>> {
  return {
    LOOPBACK_DESTINATIONS: "allow",
    // Whoever calls from this machine has the same address.
    REFUSED_RATE_LIMIT_PER_MINUTE: "0",
    DESTINATION_KEY: await localSecret(persistTo, "destination.key"),
    TOKEN_SECRET: await localSecret(persistTo, "token.secret"),
  };
}

/** Made at the first start and kept with the ledger: its sealed secrets open again, tokens outlive a restart. */
async function localSecret(persistTo: string, name: string): Promise<string> {
  await mkdir(persistTo, { recursive: true });
  const file = join(persistTo, name);
  try {
    await writeFile(file, randomBytes(32).toString("base64"), { mode: 0o600, flag: "wx" });
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST")) throw cause;
  }
  return (await readFile(file, "utf8")).trim();
}

const ENTRY = join(ROOT, "worker/index.ts");

/** The Worker as one module. */
export async function bundleWorker(entry = ENTRY): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    // workerd has it itself.
    external: ["node:zlib"],
    logLevel: "silent",
  });
  const [module] = outputFiles;
  if (module === undefined) throw new Error("esbuild gave no module");
  return module.text;
}

type D1 = Awaited<ReturnType<Miniflare["getD1Database"]>>;

async function addLocalKeys(db: D1): Promise<void> {
  await db.batch(
    KEY_ROWS.map(({ id, key, permissions }) =>
      db
        .prepare(
          `INSERT INTO api_keys (id, hash, tenant, name, permissions, platform_ids, entity_ids, org_ids, created_at)
          VALUES (?1, ?2, 'local', ?3, ?4, '["*"]', '["*"]', '["*"]', ?5)
          ON CONFLICT (id) DO UPDATE SET platform_ids = '["*"]', entity_ids = '["*"]', org_ids = '["*"]'`,
        )
        .bind(id, hashApiKey(key), `local ${key}`, JSON.stringify(permissions), Date.now()),
    ),
  );
}

/** Does what the cron does: at start, then again and again, whether or not an earlier one is held up by a call that hangs. */
async function startSweep(miniflare: Miniflare, everyMs: number): Promise<{ stop(): Promise<void> }> {
  const worker = await miniflare.getWorker();
  const underWay = new Set<Promise<void>>();
  let stopped = false;
  const sweep = async () => {
    try {
      await worker.scheduled({ cron: "* * * * *" });
    } catch (cause) {
      if (!stopped) process.stderr.write(`a sweep failed and will be repeated: ${String(cause)}\n`);
    }
  };
  const begin = () => {
    if (underWay.size >= SWEEPS_MAX) return;
    const current = sweep().finally(() => underWay.delete(current));
    underWay.add(current);
  };
  begin();
  const timer = setInterval(begin, everyMs);
  return {
    async stop() {
      stopped = true;
      clearInterval(timer);
      // A sweep under way ends with workerd; what it had not settled is found by the next one.
      await Promise.race([Promise.all(underWay), new Promise((resolve) => setTimeout(resolve, 500))]);
    },
  };
}
