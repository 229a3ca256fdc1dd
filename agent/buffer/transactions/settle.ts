/** Takes events off the log once their fate is known: rows, quarantine and ledger in the caller's transaction. */
import type { BatchTable, PendingHead } from "../tables/batches.ts";
import { eventBytes, freeBytes } from "../tables/event-run.ts";
import type { QuarantineTable } from "../tables/quarantine.ts";
import type { Retention } from "../tables/retained.ts";
import type { ShipmentTable } from "../tables/shipments.ts";
import type { StreamTable } from "../tables/streams.ts";
import type { SettleOperation } from "./operations.ts";

export interface SettleTables {
  readonly streams: StreamTable;
  readonly batches: BatchTable;
  readonly quarantine: QuarantineTable;
  readonly retention: Retention;
  readonly shipments: ShipmentTable;
}

/**
 * Settles positions `first` to `first + count - 1`. Counts what it really finds pending, so that settling
 * twice changes nothing the second time.
 * @param retains whether there is room to keep what is delivered for an audit.
 */
export function settle(tables: SettleTables, operation: SettleOperation, retains: boolean): void {
  const stream = tables.streams.find(operation.stream);
  if (stream === null) return;
  const last = operation.first + operation.count - 1;
  let found = 0;
  let quarantined = 0;
  let bytes = 0;
  for (const head of tables.batches.heads(stream.id, operation.first, last, operation.count)) {
    const from = Math.max(head.first, operation.first);
    const to = Math.min(head.first + head.count, last + 1);
    const guilty = operation.quarantine.filter(({ position }) => position >= from && position < to);
    if (guilty.length > 0) hold(tables, stream.id, head, operation.at, guilty);
    found += to - from;
    quarantined += guilty.length;
    bytes += tables.batches.settle(stream.id, head, from, to);
    if (!tables.batches.waits(stream.id, head.batch, head)) {
      if (retains) retain(tables, stream.id, head, operation.at, guilty.length);
      tables.batches.remove(head.batch);
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

/** Keeps a row of which something may have been delivered: not all of it is among the last `guilty` ones. */
function retain(
  { batches, retention }: SettleTables,
  stream: number,
  head: PendingHead,
  at: number,
  guilty: number,
): void {
  const { scope, receivedAt } = head;
  const { events, sound } = batches.events(head.batch);
  const batch = { first: head.first - head.skip, count: events.ends.length, scope, receivedAt };
  if (sound && guilty < events.ends.length) retention.keep(stream, batch, events, at);
  freeBytes(events.body);
}

function hold(
  tables: SettleTables,
  stream: number,
  head: PendingHead,
  at: number,
  guilty: SettleOperation["quarantine"],
): void {
  const { events } = tables.batches.events(head.batch);
  for (const { position, reason } of guilty) {
    const event = eventBytes(events, head.skip + position - head.first);
    tables.quarantine.insert({ stream, position, scope: head.scope, receivedAt: head.receivedAt, event, reason, at });
  }
}
