/** The benchmarks as a user runs them, with sizes that measure nothing: that they still run, and end what they start. */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { spawnNode } from "../../tools/processes/node-process.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { until } from "../../tools/processes/until.ts";
import { processesNaming } from "../support/process-list.ts";
import type { Measured } from "./measure.ts";
import { ROWS, type Row } from "./rows.ts";

const BENCH = fileURLToPath(new URL("./main.ts", import.meta.url));
const TINY = ["--seconds", "0.02", "--rounds", "1", "--backlog", "20000", "--pile", "2000", "--keys", "5000"];

describe("npm run bench", () => {
  test.each([
    { what: "hot path", args: [], of: (row: Row) => row.group !== "ledger-size" },
    { what: "row of a large ledger", args: ["--ledger-size"], of: (row: Row) => row.group === "ledger-size" },
  ])("measures every $what, each beside its floor", async ({ args, of }) => {
    const bench = spawnNode(BENCH, [...TINY, ...args, "--json"]);
    onTestFinished(async () => void (await bench.kill("SIGKILL")));
    expect((await bench.exited).code, bench.stderr()).toBe(0);
    const rows = JSON.parse(bench.stdout()) as Measured[];
    expect(rows.map(({ name }) => name)).toEqual(ROWS.filter(of).map(({ name }) => name));
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
