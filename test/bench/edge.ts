/** The edge in workerd with D1 and Queues: taking events, and telling prices, beside Workers that do next to nothing. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { runEdge } from "../../tools/processes/weir-processes.ts";
import { LOCAL_KEYS } from "../../tools/sample/local-keys.ts";
import { addSampleCatalog, SAMPLE_PATH } from "../../tools/sample/sample.ts";
import { bodiesOf, events, LINES_HEADERS, latency, post } from "./load.ts";
import { compare, type Measured } from "./measure.ts";

const CLIENTS = 4;
const KEY = { "x-api-key": LOCAL_KEYS.ingest };

/** @param sizes events a request, each with how many events a round. */
export async function benchEdge(sizes: readonly (readonly [size: number, count: number])[]): Promise<Measured[]> {
  const folder = tempDir("weir-bench");
  const edge = await runEdge({ persistTo: join(folder.path, "edge") });
  const floor = await startFloor(join(folder.path, "floor"));
  try {
    await addSampleCatalog(edge.url);
    const measured: Measured[] = [];
    let first = 0;
    for (const [size, count] of sizes) {
      const run = async (url: string) => {
        const bodies = bodiesOf(events("egress_bytes", first, count), size);
        first += count;
        const headers = { ...LINES_HEADERS, ...KEY };
        return count / (await post({ url, path: SAMPLE_PATH, headers, bodies, clients: CLIENTS }));
      };
      measured.push(
        await compare({
          name: `edge takes events, ${size} a request`,
          unit: "events/s",
          higherIsBetter: true,
          floorIs: "a Worker that parses, and stores the bytes in one statement",
          rounds: 5,
          weir: () => run(edge.url),
          floor: () => run(floor.url),
        }),
      );
    }
    measured.push(await benchCalculate(edge.url));
    return measured;
  } finally {
    await edge.stop();
    await floor.close();
    folder.remove();
  }
}

async function benchCalculate(url: string): Promise<Measured> {
  const body = Buffer.from(
    JSON.stringify({
      customer_reference: "cus_you",
      meter_reference: "api-traffic",
      timestamp: "2026-11-20T12:00:00Z",
      meter_values: [{ reference: "requests", number: "200" }],
      meter_properties: [{ reference: "region", value: "eu" }],
    }),
  );
  const json = { ...KEY, "content-type": "application/json" };
  const calculate = { url, path: "/v1/events/calculate?cost_prediction=true", headers: json };
  return compare({
    name: "edge calculates a price",
    unit: "ms",
    higherIsBetter: false,
    floorIs: "GET /healthz",
    rounds: 5,
    weir: () => latency(calculate, body, 100),
    floor: () => latency({ url, path: "/healthz", headers: {} }, null, 100),
  });
}

async function startFloor(persistTo: string): Promise<{ readonly url: string; close(): Promise<void> }> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("./floors/worker.ts", import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    logLevel: "silent",
  });
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      name: "floor",
      host: "127.0.0.1",
      port: 0,
      log: new Log(LogLevel.ERROR),
      modules: true,
      script: outputFiles[0]?.text ?? "",
      compatibilityDate: "2026-01-01",
      d1Databases: { LEDGER: "floor" },
      resourcePersistencePath: persistTo,
    }),
  );
  const { origin } = await miniflare.ready;
  const db = await miniflare.getD1Database("LEDGER");
  await db.prepare("CREATE TABLE bodies (id INTEGER PRIMARY KEY, body TEXT NOT NULL)").run();
  return { url: origin, close: () => miniflare.dispose() };
}
