/** The ledger database that a command of `npm run admin` works on: one in the account, or one on this machine. */
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { ledgerFile } from "../local-ledger/ledger-file.ts";
import { shellText, WRANGLER } from "../wrangler/commands.ts";
import { readDeployment } from "../wrangler/configuration.ts";
import type { RunWrangler } from "../wrangler/run.ts";

const BUSY_MS = 10_000;

export type Row = Readonly<Record<string, unknown>>;

export interface Ledger {
  /** For a person: where it is. */
  readonly where: string;
  /** Runs one statement and gives its rows. @throws Error in words for whoever asked. */
  run(statement: string): Promise<readonly Row[]>;
  close(): void;
}

/** Opens the database of an edge on this machine, making it where there is none. An edge may be running on it. */
export async function localLedger(persistTo: string): Promise<Ledger> {
  const name = ledgerOf(null);
  // Only here: who asks for a remote ledger does not wait for workerd's whole harness to load.
  const { makeLedger } = await import("../local-ledger/make-ledger.ts");
  await makeLedger(persistTo, name);
  const db = new DatabaseSync(ledgerFile(persistTo, name), { timeout: BUSY_MS });
  return {
    where: `the edge in ${persistTo}`,
    run: async (statement) => db.prepare(statement).all() as Row[],
    close: () => db.close(),
  };
}

/** What `wrangler d1 execute --json` prints: an entry a statement. */
const resultsSchema = z.array(z.object({ results: z.array(z.record(z.string(), z.unknown())), success: z.boolean() }));
const errorSchema = z.object({ error: z.object({ text: z.string() }) });

/**
 * The database as `wrangler d1 execute` reaches it.
 * @param where `--remote`; in tests `--local` with a folder, which runs the same commands on workerd's own D1.
 */
export function wranglerLedger(env: string | null, where: readonly string[], run: RunWrangler): Ledger {
  const name = ledgerOf(env);
  return {
    where: `the remote database "${name}"`,
    async run(statement) {
      const args = WRANGLER.execute(name, statement, env, where);
      const { code, stdout, stderr } = await run(args, { isShown: false });
      const printed = jsonOf(stdout);
      const results = resultsSchema.safeParse(printed);
      if (code === 0 && results.success) return results.data.at(-1)?.results ?? [];
      const refused = errorSchema.safeParse(printed);
      const said = refused.success ? refused.data.error.text : (stderr.trim() || stdout.trim()).slice(0, 2_000);
      throw new Error(`wrangler could not do it: ${said}\n(${shellText(args.slice(0, 4))} …, exit ${code})`);
    },
    close: () => undefined,
  };
}

function ledgerOf(env: string | null): string {
  const { databases } = readDeployment(env);
  const ledger = databases.find(({ binding }) => binding === "LEDGER");
  if (ledger === undefined) throw new Error("wrangler.toml binds no database as LEDGER");
  return ledger.name;
}

function jsonOf(text: string): unknown {
  // A warning may stand before it.
  const start = text.search(/^[[{]/m);
  try {
    return JSON.parse(text.slice(Math.max(0, start)));
  } catch {
    return null;
  }
}
