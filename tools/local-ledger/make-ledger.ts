import { existsSync } from "node:fs";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { ledgerFile } from "./ledger-file.ts";
import { migrate } from "./migrate.ts";

/** Makes the database, with all migrations, where there is none; workerd itself does, so that it is the one an edge finds. */
export async function makeLedger(persistTo: string, database: string): Promise<void> {
  if (existsSync(ledgerFile(persistTo, database))) return;
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      name: "weir",
      log: new Log(LogLevel.ERROR),
      modules: true,
      script: "export default { fetch() { return new Response(null, { status: 404 }); } };",
      compatibilityDate: "2026-10-01",
      d1Databases: { LEDGER: database },
      resourcePersistencePath: persistTo,
    }),
  );
  try {
    await migrate(await miniflare.getD1Database("LEDGER"));
  } finally {
    await miniflare.dispose();
  }
}
