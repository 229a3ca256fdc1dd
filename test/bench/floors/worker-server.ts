/** Runs the floor's Worker in workerd with D1 on disk in the folder `DIR`, as the edge is run, until a signal ends it. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { parse } from "smol-toml";

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));
const { compatibility_date } = parse(readFileSync(here("../../../wrangler.toml"), "utf8")) as {
  compatibility_date: string;
};
const { outputFiles } = await build({
  entryPoints: [here("./worker.ts")],
  ...{ bundle: true, write: false, format: "esm", logLevel: "silent", external: ["node:zlib"] },
});
const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    ...{ name: "floor", host: "127.0.0.1", port: 0, log: new Log(LogLevel.ERROR), modules: true },
    script: outputFiles[0]?.text ?? "",
    compatibilityDate: compatibility_date,
    d1Databases: { LEDGER: "floor" },
    resourcePersistencePath: process.argv[2] ?? "",
  }),
);
const { origin } = await miniflare.ready;
const db = await miniflare.getD1Database("LEDGER");
await db.batch([
  db.prepare("CREATE TABLE bodies (id INTEGER PRIMARY KEY, body TEXT NOT NULL, events INTEGER NOT NULL)"),
  db.prepare("CREATE TABLE keys (key TEXT PRIMARY KEY) WITHOUT ROWID"),
]);
for (const signal of ["SIGTERM", "SIGINT"] as const) process.removeAllListeners(signal);
process.once("SIGTERM", () => void miniflare.dispose().then(() => process.exit(0)));
console.log(`floor ready on ${origin}`);
