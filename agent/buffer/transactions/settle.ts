/** Takes events off the log once their fate is known: rows, quarantine and ledger in the caller's transaction. */
import type { PendingHead } from "../tables/batches.ts";
import { eventBytes, freeBytes } from "../tables/event-run.ts";
import type { QuarantineReason } from "../tables/quarantine.ts";
import type { Context } from "./context.ts";

/** A run of positions that were delivered, but for those that go to quarantine. */
export interface SettleInput {
  readonly stream: string;
  readonly first: number;
  readonly count: number;
  readonly at: number;
  readonly quarantine: readonly Rejected[];
}

export interface Rejected {
  readonly position: number;
  readonly reason: QuarantineReason;
}

export interface Settled {
  readonly kind: "settled";
}

export const SETTLED: Settled = { kind: "settled" };

/**
 * Settles positions `first` to `first + count - 1`. Counts what it really finds pending, so that settling
 * twice changes nothing the second time. What is delivered is kept for an audit while there is room.
 */
export function settle(tables: Context, input: SettleInput): Settled {
  const stream = tables.streams.find(input.stream);
  if (stream === null) return SETTLED;
  const last = input.first + input.count - 1;
  let found = 0;
  let quarantined = 0;
  let bytes = 0;
  for (const head of tables.batches.heads(stream.id, input.first, last, input.count)) {
    const from = Math.max(head.first, input.first);
    const to = Math.min(head.first + head.count, last + 1);
    const rejected = input.quarantine.filter(({ position }) => position >= from && position < to);
    if (rejected.length > 0) hold(tables, stream.id, head, input.at, rejected);
    found += to - from;
    quarantined += rejected.length;
    bytes += tables.batches.settle(stream.id, head, from, to);
    if (!tables.batches.waits(stream.id, head.batch, head)) {
      if (tables.reserveWhole) retain(tables, stream.id, head, input.at, rejected.length);
      tables.batches.remove(head.batch);
    }
  }
  tables.shipments.settle(stream.id, input.first, last);
  tables.streams.add(stream.id, {
    pending: -found,
    delivered: found - quarantined,
    quarantined,
    pendingBytes: -bytes,
  });
  return SETTLED;
}

/** Keeps a row of which something may have been delivered: not all of it is among the last `rejected` ones. */
function retain({ batches, retained }: Context, stream: number, head: PendingHead, at: number, rejected: number): void {
  const { scope, receivedAt } = head;
  const { events, sound } = batches.events(head.batch);
  const batch = { first: head.first - head.skip, count: events.ends.length, scope, receivedAt };
  if (sound && rejected < events.ends.length) retained.keep(stream, batch, events, at);
  freeBytes(events.body);
}

function hold(
  tables: Context,
  stream: number,
  head: PendingHead,
  at: number,
  rejected: SettleInput["quarantine"],
): void {
  const { events } = tables.batches.events(head.batch);
  for (const { position, reason } of rejected) {
    const event = eventBytes(events, head.skip + position - head.first);
    tables.quarantine.hold({ stream, position, scope: head.scope, receivedAt: head.receivedAt, event, reason, at });
  }
}
