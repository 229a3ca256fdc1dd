/** A run of events on its way: sent whole, halved where it is refused, settled piece by piece. */

import type { Log } from "../buffer/log.ts";
import { freeBytes } from "../buffer/tables/event-run.ts";
import type { QuarantineReason } from "../buffer/tables/quarantine.ts";
import type { PendingRun } from "../buffer/transactions/read.ts";
import type { SettleInput } from "../buffer/transactions/settle.ts";
import type { BatchSizer, Size } from "./batch-size.ts";
import { type CallContext, sendUntilKnown, UNRECORDED } from "./call.ts";
import { halvesOf, larger, sizeOf } from "./pieces.ts";

export interface ShipmentContext extends CallContext {
  readonly log: Log;
  readonly sizer: BatchSizer;
}

export type ShipmentEnd =
  | { readonly kind: "settled" }
  | { readonly kind: "stream-paused"; readonly message: string }
  | { readonly kind: "stopped" };

/** The disk has no room to note a fate: how long until the next try. */
export const SETTLE_RETRY_MS = 1000;

/**
 * Delivers a run; tells `settled` of every piece whose fate is in the log. What is settled is settled, whatever
 * becomes of the rest: that stays in the log.
 */
export async function ship(
  stream: string,
  run: PendingRun,
  settled: (events: number) => void,
  context: ShipmentContext,
): Promise<ShipmentEnd> {
  try {
    return await shipPieces(stream, run, settled, context);
  } finally {
    freeBytes(run.events.body);
  }
}

async function shipPieces(
  stream: string,
  run: PendingRun,
  settled: (events: number) => void,
  context: ShipmentContext,
): Promise<ShipmentEnd> {
  const pieces: PendingRun[] = [run];
  let split = false;
  let largestTaken: Size | null = null;
  for (let piece = pieces.pop(); piece !== undefined; piece = pieces.pop()) {
    const count = piece.events.ends.length;
    const { producer } = context.log;
    const fate = await sendUntilKnown({ stream, run: piece, producer, key: null }, UNRECORDED, context);
    if (fate.kind === "stream-paused" || fate.kind === "stopped") return fate;
    if (fate.kind === "refused" && count > 1) {
      split ||= fate.why === "size";
      // The rear half first, so that taking from the end sends events in their order.
      pieces.push(...halvesOf(piece).reverse());
      continue;
    }
    const quarantine = fate.kind === "delivered" ? heldOf(piece, fate.conflicts) : [held(piece, 0, fate.reason)];
    if (fate.kind === "delivered") largestTaken = larger(largestTaken, sizeOf(piece));
    if (!(await settle(stream, piece, quarantine, context))) return { kind: "stopped" };
    settled(count);
  }
  if (split) context.sizer.wasSplit(sizeOf(run), largestTaken);
  else if (largestTaken !== null) context.sizer.wasTaken(largestTaken);
  return { kind: "settled" };
}

export type Held = SettleInput["quarantine"][number];

function heldOf(piece: PendingRun, conflicts: readonly { index: number; reason: QuarantineReason }[]): Held[] {
  return conflicts.map(({ index, reason }) => held(piece, index, reason));
}

export function held(piece: PendingRun, index: number, reason: QuarantineReason): Held {
  return { position: piece.first + index, reason };
}

/** Writes down the fate of a run; false where the agent stops before there was room for it. */
export async function settle(
  stream: string,
  piece: PendingRun,
  quarantine: readonly Held[],
  context: ShipmentContext,
): Promise<boolean> {
  const { clock, log, signal } = context;
  for (;;) {
    const count = piece.events.ends.length;
    const outcome = await log.settle({ stream, first: piece.first, count, at: clock.now(), quarantine });
    if (outcome.kind === "settled") return true;
    if (signal.aborted) return false;
    await clock.sleep(SETTLE_RETRY_MS, signal);
  }
}
