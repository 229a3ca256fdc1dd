/** Writes the fates of events into the log. */
import type { Log } from "../buffer/log.ts";
import type { QuarantineReason } from "../buffer/tables/quarantine.ts";
import type { PendingRun } from "../buffer/transactions/read.ts";
import type { Rejected } from "../buffer/transactions/settle.ts";
import type { BatchSizer } from "./batch-size.ts";
import type { CallContext, Fate } from "./call.ts";
import { countOf } from "./pieces.ts";

export interface ShipmentContext extends CallContext {
  readonly log: Log;
  readonly sizer: BatchSizer;
}

export type ShipmentEnd =
  | { readonly kind: "settled" }
  /** Given back to the log: its lane waits. */
  | Extract<Fate, { kind: "held" }>
  | { readonly kind: "stopped" };

/** The disk has no room to note a fate: how long until the next try. */
export const SETTLE_RETRY_MS = 1000;

/** Writes down the fate of a run; false where the agent stops before there was room for it. */
export async function settle(
  stream: string,
  { first, events }: PendingRun,
  quarantine: readonly Rejected[],
  { clock, log, signal }: ShipmentContext,
): Promise<boolean> {
  for (;;) {
    const outcome = await log.settle({ stream, first, count: countOf(events), at: clock.now(), quarantine });
    if (outcome.kind === "settled") return true;
    if (signal.aborted) return false;
    await clock.sleep(SETTLE_RETRY_MS, signal);
  }
}

/** What of a run goes to quarantine, its fate being known. */
export function rejectedOf(run: PendingRun, fate: Extract<Fate, { kind: "delivered" | "refused" }>): Rejected[] {
  if (fate.kind === "refused") return rejectAll(run, fate.reason);
  return fate.conflicts.map(({ index, reason }) => ({ position: run.first + index, reason }));
}

export function rejectAll(run: PendingRun, reason: QuarantineReason): Rejected[] {
  return Array.from({ length: countOf(run.events) }, (_, index) => ({ position: run.first + index, reason }));
}
