/** An agent that comes back to a backlog: how soon it is ready, how fast it drains, how much memory that takes. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { openStore } from "../../agent/buffer/store.ts";
import { METADATA } from "../../agent/buffer/tables/metadata.ts";
import { NO_SCOPE } from "../../agent/buffer/tables/scope.ts";
import { spawnNode } from "../../tools/processes/node-process.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { until } from "../../tools/processes/until.ts";
import { packEvents } from "../agent/support/pack-events.ts";
import { events } from "./load.ts";
import { compare, type Measured } from "./measure.ts";

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));
/** As the package's unit and shebang have them. */
const FLAGS = ["--max-semi-space-size=1", "--max-old-space-size=96", "--v8-pool-size=1"];
const EVENTS_A_ROW = 1000;
const MIB = 1024 * 1024;

/** @param count events on disk. @param rounds how often both are emptied. */
export async function benchBacklog(count: number, rounds: number): Promise<Measured> {
  const folder = tempDir("weir-bench");
  const sink = spawnNode(here("./floors/sink.ts"));
  const packaged = join(folder.path, "package");
  await finished(spawnNode(here("../../agent/package/build.ts"), [packaged]));
  const startMs: number[] = [];
  const peaksMb: number[] = [];
  const floorPeaksMb: number[] = [];
  try {
    const sinkUrl = await sink.ready;
    let round = 0;
    const measured = await compare({
      name: `agent drains a backlog of ${count.toLocaleString("en-US")}`,
      unit: "events/s",
      higherIsBetter: true,
      floorIs: "node:sqlite, gzip and undici, a row a call",
      rounds,
      async weir() {
        const drained = await drain(join(folder.path, `agent-${round++}`), packaged, sinkUrl, count);
        startMs.push(drained.startMs);
        peaksMb.push(drained.peakMb);
        return count / drained.seconds;
      },
      async floor() {
        const file = join(folder.path, `floor-${round++}.db`);
        fillFloor(file, count);
        const pump = spawnNode(here("./floors/pump.ts"), [file, sinkUrl]);
        const { seconds, peakMb } = JSON.parse(await finished(pump)) as { seconds: number; peakMb: number };
        floorPeaksMb.push(peakMb);
        return count / seconds;
      },
    });
    const also = {
      "ready after, ms, at most": Math.round(Math.max(...startMs)),
      "peak memory, MB": Math.max(...peaksMb),
      "the floor's, MB": Math.max(...floorPeaksMb),
    };
    return { ...measured, also };
  } finally {
    await sink.kill("SIGKILL");
    folder.remove();
  }
}

async function finished(process: ReturnType<typeof spawnNode>): Promise<string> {
  const { code } = await process.exited;
  if (code !== 0) throw new Error(`a part of the benchmark failed:\n${process.stderr()}`);
  return process.stdout();
}

/** Starts the packaged agent on a backlog with its destination there; both figures from the moment of its start. */
async function drain(directory: string, packaged: string, sinkUrl: string, count: number) {
  const bytesMax = Math.max(64 * MIB, count * 400);
  const buffer = join(directory, "buffer");
  fill(buffer, bytesMax, count);
  const config = join(directory, "agent.toml");
  writeFileSync(
    config,
    `[listen]\nport = 0\n[buffer]\npath = "buffer"\nmax_bytes = ${bytesMax}\n` +
      `[destination]\nurl = "${sinkUrl}"\napi_key_env = "KEY"\n`,
  );
  const startedAt = performance.now();
  const agent = spawnNode(join(packaged, "weir-agent.js"), ["run", "--config", config], {
    nodeFlags: FLAGS,
    env: { KEY: "bench", MALLOC_ARENA_MAX: "2" },
  });
  try {
    const url = await agent.ready;
    const startMs = performance.now() - startedAt;
    await until(
      async () => {
        const { ledger } = (await (await fetch(`${url}/status`)).json()) as {
          ledger: { delivered: number; pending: number };
        };
        return ledger.pending === 0 && ledger.delivered === count;
      },
      { what: "the agent to drain", timeoutMs: 600_000, everyMs: 20 },
    );
    const seconds = (performance.now() - startedAt - startMs) / 1000;
    return { startMs, seconds, peakMb: peakMbOf(agent.pid) };
  } finally {
    await agent.kill("SIGKILL");
  }
}

function peakMbOf(pid: number): number {
  const kb = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  return Math.round(kb / 1024);
}

function fill(directory: string, bytesMax: number, count: number): void {
  const store = openStore({ directory, bytesMax });
  const metadata = [
    [METADATA.id, "bench"],
    [METADATA.log, "benchlog"],
  ] as const;
  store.run([{ kind: "remember", metadata }]);
  for (let first = 0; first < count; first += EVENTS_A_ROW) {
    const { outcomes } = store.run([
      {
        kind: "append",
        stream: "usage/bench",
        scope: NO_SCOPE,
        receivedAt: Date.now(),
        events: packEvents(events("bench", first, Math.min(EVENTS_A_ROW, count - first))),
        invalid: [],
        idempotency: null,
        strict: false,
      },
    ]);
    if (outcomes[0]?.kind !== "durable") throw new Error(`the backlog does not fit: ${JSON.stringify(outcomes[0])}`);
  }
  store.close();
}

/** Rows as large as the agent's calls. */
const FLOOR_EVENTS_A_ROW = 8000;

function fillFloor(file: string, count: number): void {
  const db = new DatabaseSync(file);
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
    CREATE TABLE bodies (id INTEGER PRIMARY KEY, body BLOB NOT NULL); BEGIN`);
  const insert = db.prepare("INSERT INTO bodies (body) VALUES (?)");
  for (let first = 0; first < count; first += FLOOR_EVENTS_A_ROW) {
    const sources = events("bench", first, Math.min(FLOOR_EVENTS_A_ROW, count - first));
    insert.run(Buffer.from(`[${sources.join(",")}]`));
  }
  db.exec("COMMIT");
  db.close();
}
