/** A load and what it measured; runs in a process of its own. */
import { fileURLToPath } from "node:url";
import { spawnNode } from "../../../tools/processes/node-process.ts";
import type { RequestSeries } from "./requests.ts";

const GENERATOR = fileURLToPath(new URL("./main.ts", import.meta.url));

export interface LoadJob {
  readonly series: RequestSeries;
  readonly connections: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  /** Of single requests. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the generator itself while it sent. */
  readonly ownCpuMicros: number;
}

export interface RunningLoad {
  /** Settles once all requests are made and the first is being sent. */
  readonly begun: Promise<unknown>;
  readonly result: Promise<LoadResult>;
  /** Ends it early; the result is of what was sent until then. */
  stop(): Promise<LoadResult>;
}

/** @returns a load that runs. Its result rejects where a request was not answered with 2xx. */
export function startLoad(job: LoadJob): RunningLoad {
  const generator = spawnNode(GENERATOR, [JSON.stringify(job)]);
  const result = generator.exited.then(({ code }) => {
    if (code !== 0) throw new Error(`the load failed:\n${generator.stderr()}`);
    return JSON.parse(generator.stdout().split("\n")[1] ?? "") as LoadResult;
  });
  result.catch(() => undefined);
  return {
    begun: generator.ready,
    result,
    stop: async () => {
      await generator.kill("SIGUSR2");
      return result;
    },
  };
}
