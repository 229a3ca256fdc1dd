/** One run of a load on one subject: what was sent and what it took. */
import { type LoadJob, type LoadResult, startLoad } from "./load/job.ts";
import type { Sample } from "./measure.ts";
import { cpuMicrosOf, peakMbOf, resetPeaks } from "./process/usage.ts";

export interface RunOptions {
  readonly job: LoadJob;
  /** Events a request. */
  readonly size: number;
  /** The subject's process group. */
  readonly group: number;
  /** Settles once what the load caused is done: its CPU counts as well. */
  readonly settled?: () => Promise<unknown>;
}

/** Runs the load to its end. */
export async function runLoad({ job, size, group, settled }: RunOptions): Promise<Sample> {
  resetPeaks([group]);
  const cpuBefore = cpuMicrosOf([group]);
  const result = await startLoad(job).result;
  await settled?.();
  return sampleOf(result, { size, group, cpuBefore });
}

/** A load's result with what the subject took for it, from `cpuBefore` until now. */
export function sampleOf(
  { requests, seconds, p50Ms, p99Ms, ownCpuMicros }: LoadResult,
  { size, group, cpuBefore }: { readonly size: number; readonly group: number; readonly cpuBefore: number },
): Sample {
  const events = requests * size;
  return {
    eventsPerSecond: events / seconds,
    cpuMicrosPerEvent: (cpuMicrosOf([group]) - cpuBefore) / events,
    ...{ p50Ms, p99Ms, peakMb: peakMbOf([group]) },
    loadMicrosPerEvent: ownCpuMicros / events,
  };
}
