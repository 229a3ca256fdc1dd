/** The benchmarks as a user runs them, with sizes that measure nothing: that they still run, and end what they start. */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { spawnNode } from "../../tools/processes/node-process.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { until } from "../../tools/processes/until.ts";
import { processesNaming } from "../support/process-list.ts";
import type { Measured } from "./measure.ts";
import { ROWS } from "./rows.ts";

const BENCH = fileURLToPath(new URL("./main.ts", import.meta.url));
const TINY = ["--seconds", "0.02", "--rounds", "1", "--backlog", "20000", "--pile", "2000"];

describe("npm run bench", () => {
  test("measures every row, each beside its floor", async () => {
    const bench = spawnNode(BENCH, [...TINY, "--json"]);
    onTestFinished(async () => void (await bench.kill("SIGKILL")));
    expect((await bench.exited).code, bench.stderr()).toBe(0);
    const rows = JSON.parse(bench.stdout()) as Measured[];
    expect(rows.map(({ name }) => name)).toEqual(ROWS.map(({ name }) => name));
    for (const { name, weir, floor, ratio } of rows) {
      expect(Math.min(weir.eventsPerSecond, floor.eventsPerSecond, weir.peakMb, floor.peakMb), name).toBeGreaterThan(0);
      expect(ratio.median, name).toBeGreaterThan(0);
    }
  });

  test("ends every process that it started, also at Ctrl-C", async () => {
    const folder = tempDir();
    const bench = spawnNode(BENCH, [...TINY, "agent-1", "--seconds", "600"], { env: { TMPDIR: folder.path } });
    onTestFinished(async () => {
      await bench.kill("SIGKILL");
      folder.remove();
    });
    const started = () => processesNaming(folder.path);
    await until(() => started().some(({ args }) => args.includes("agent.toml")), { what: "the agent to run" });
    expect((await bench.kill("SIGINT")).code).toBe(130);
    await until(() => started().length === 0, { what: "all that it started to end" });
    expect(readdirSync(folder.path)).toEqual([]);
  });
});
