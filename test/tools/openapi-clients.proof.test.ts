/**
 * Typed clients made of our OpenAPI document by three generators: they compile strictly, and an event of a tenant's own
 * meter goes through each without a cast. The generators are packages of their own, with a lock file of their own:
 * they need an older TypeScript than ours.
 */
import { execFile } from "node:child_process";
import { cpSync, existsSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { expect, onTestFinished, test } from "vitest";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { runEdge } from "../../tools/processes/weir-processes.ts";
import { LOCAL_KEYS } from "../../tools/sample/local-keys.ts";
import { readOpenApi } from "../support/openapi.ts";

const SOURCES = fileURLToPath(new URL("openapi-clients", import.meta.url));
/** Installed by `npm ci` in that folder, as .ci/run does: no test fetches anything itself. */
const GENERATORS = join(SOURCES, "node_modules");
const METER = {
  meter_global_id: "coffee",
  event_id_field: "id",
  fields: [
    { name: "id", type: "string", required: true },
    { name: "n", type: "integer", required: true },
  ],
};

/** What post.ts exports. */
interface Clients {
  post(baseUrl: string, key: string): Promise<(number | undefined)[]>;
}

const run = promisify(execFile);

test.skipIf(!existsSync(GENERATORS))(
  "clients of openapi-typescript, hey-api and orval compile strictly and post an own meter's event",
  async () => {
    const folder = tempDir("weir-openapi-clients");
    const edge = await runEdge({ persistTo: join(folder.path, "edge"), vars: {} });
    onTestFinished(async () => {
      await edge.stop();
      folder.remove();
    });
    const put = await fetch(`${edge.url}/admin/catalog`, {
      method: "PUT",
      headers: { "x-api-key": LOCAL_KEYS.admin, "if-match": "*" },
      body: JSON.stringify({ streams: [METER] }),
    });
    expect(put.status).toBe(200);

    const clients = join(folder.path, "clients");
    cpSync(SOURCES, clients, { recursive: true, filter: (path) => !path.startsWith(GENERATORS) });
    symlinkSync(GENERATORS, join(clients, "node_modules"));
    writeFileSync(join(clients, "openapi.json"), readOpenApi().text);
    const bin = join(clients, "node_modules/.bin");
    const env = {
      ...process.env,
      PATH: `${bin}${delimiter}${process.env["PATH"]}`,
      WEIR_URL: edge.url,
      DO_NOT_TRACK: "1",
    };
    const call = (command: string, ...args: string[]) => run(command, args, { cwd: clients, env });

    await call("openapi-typescript", "openapi.json", "-o", "generated/openapi-typescript.ts");
    await call("openapi-ts", "-i", "openapi.json", "-o", "generated/hey-api", "--no-log-file");
    await call("orval", "--config", "orval.config.mjs");
    // What does not compile is told on stdout, with an exit code that makes the call fail.
    await call("tsc", "-p", ".");

    const bundle = join(clients, "post.mjs");
    await build({
      entryPoints: [join(clients, "post.ts")],
      bundle: true,
      platform: "node",
      format: "esm",
      outfile: bundle,
    });
    const { post } = (await import(pathToFileURL(bundle).href)) as Clients;
    expect(await post(edge.url, LOCAL_KEYS.ingest)).toEqual([1, 1, 1]);
  },
);
