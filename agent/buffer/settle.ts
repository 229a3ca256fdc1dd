/** Takes events off the log once their fate is known: rows, quarantine and ledger in the caller's transaction. */
import type { BatchHead, BatchTable } from "./batch-table.ts";
import { eventBytes, sliceRun } from "./event-run.ts";
import type { SettleOperation } from "./operations.ts";
import type { QuarantineTable } from "./quarantine-table.ts";
import type { ShipmentTable } from "./shipment-table.ts";
import type { StreamTable } from "./stream-table.ts";

export interface SettleTables {
  readonly streams: StreamTable;
  readonly batches: BatchTable;
  readonly quarantine: QuarantineTable;
  readonly shipments: ShipmentTable;
}

/**
 * Settles positions `first` to `first + count - 1`. Counts what it really finds pending, so that settling
 * twice changes nothing the second time.
 */
export function settle(tables: SettleTables, operation: SettleOperation): void {
  const stream = tables.streams.find(operation.stream);
  if (stream === null) return;
  const last = operation.first + operation.count - 1;
  let found = 0;
  let quarantined = 0;
  let bytes = 0;
  for (const head of tables.batches.heads(stream.id, operation.first, last, operation.count)) {
    const covered = coveredBy(head, operation.first, last);
    const guilty = operation.quarantine.filter(({ position }) => position >= covered.from && position < covered.to);
    found += covered.to - covered.from;
    quarantined += guilty.length;
    const whole = covered.from === head.first && covered.to === head.first + head.count;
    if (guilty.length > 0) hold(tables, stream.id, head, operation.at, guilty);
    if (whole) {
      tables.batches.remove(head.id);
      bytes += head.bytes;
    } else {
      bytes += cut(tables, stream.id, head, covered);
    }
  }
  tables.shipments.settle(stream.id, operation.first, last);
  tables.streams.add(stream.id, {
    pending: -found,
    delivered: found - quarantined,
    quarantined,
    pendingBytes: -bytes,
  });
}

interface Covered {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

function coveredBy(head: BatchHead, first: number, last: number): Covered {
  return { from: Math.max(head.first, first), to: Math.min(head.first + head.count, last + 1) };
}

function hold(
  tables: SettleTables,
  stream: number,
  head: BatchHead,
  at: number,
  guilty: SettleOperation["quarantine"],
): void {
  const events = tables.batches.events(head.id);
  for (const { position, reason } of guilty) {
    const event = eventBytes(events, position - head.first);
    tables.quarantine.insert({ stream, position, scope: head.scope, receivedAt: head.receivedAt, event, reason, at });
  }
}

/** Leaves of a row only what is not settled; returns how many bytes fewer the rows hold. */
function cut(tables: SettleTables, stream: number, head: BatchHead, covered: Covered): number {
  const events = tables.batches.events(head.id);
  const front = covered.from - head.first;
  const rear = covered.to - head.first;
  const kept = [
    { first: head.first, run: sliceRun(events, 0, front) },
    { first: covered.to, run: sliceRun(events, rear, head.count) },
  ].filter(({ run }) => run.ends.length > 0);
  for (const [index, { first, run }] of kept.entries()) {
    if (index === 0) tables.batches.replace(head.id, first, run);
    else tables.batches.insert(stream, first, head.scope, head.receivedAt, run);
  }
  return head.bytes - kept.reduce((sum, { run }) => sum + run.body.length, 0);
}
