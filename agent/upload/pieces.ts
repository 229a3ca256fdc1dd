/** Cutting a run of pending events, times and all. */
import { sliceRun } from "../buffer/tables/event-run.ts";
import type { PendingRun } from "../buffer/transactions/read.ts";
import type { Size } from "./batch-size.ts";

/** Events `from` to `to` (exclusive) of a run. */
export function slicePending(run: PendingRun, from: number, to: number): PendingRun {
  return {
    ...run,
    first: run.first + from,
    events: sliceRun(run.events, from, to),
    receivedAt: run.receivedAt.slice(from, to),
  };
}

/** The front half, the larger one of an odd count, and the rear half. */
export function halvesOf(run: PendingRun): [PendingRun, PendingRun] {
  const count = run.events.ends.length;
  const middle = Math.ceil(count / 2);
  return [slicePending(run, 0, middle), slicePending(run, middle, count)];
}

export function sizeOf(run: PendingRun): Size {
  return { bytes: run.events.body.length + 2, events: run.events.ends.length };
}

export function larger(a: Size | null, b: Size): Size {
  return a === null || b.bytes > a.bytes ? b : a;
}
