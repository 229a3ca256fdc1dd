/** Ways back out: a quarantined event retried or given up, delivered ones made to wait again. */
import { sliceRun } from "../tables/event-run.ts";
import type { EventRun, PositionsOutcome, ReleaseOutcome, ResendOperation, RetryOperation } from "./operations.ts";
import type { SettleTables } from "./settle.ts";

const NOT_HELD: ReleaseOutcome = { kind: "not-held" };

/** The event waits again under its own position, so that the edge fills the gap it showed. */
export function retry(tables: SettleTables, { id, event }: RetryOperation): ReleaseOutcome {
  const held = tables.quarantine.held(id);
  if (held === null) return NOT_HELD;
  const { stream, position, scope, receivedAt } = held;
  const run = runOf(event ?? held.event);
  tables.batches.insertAgain(stream, position, scope, receivedAt, run);
  tables.quarantine.retried(id, event);
  tables.streams.add(stream, { quarantined: -1, pending: 1, pendingBytes: run.body.length });
  return { kind: "released", stream: held.streamName, position };
}

export function discard(tables: SettleTables, id: number, reason: string): ReleaseOutcome {
  const held = tables.quarantine.held(id);
  if (held === null) return NOT_HELD;
  tables.quarantine.discarded(id, reason);
  tables.streams.add(held.stream, { quarantined: -1, discarded: 1 });
  return { kind: "released", stream: held.streamName, position: held.position };
}

/**
 * Lets the delivered positions of a range wait again whose events are still here: retained, or in a row of which others
 * still wait.
 * @returns how many there were.
 */
export function resend(tables: SettleTables, { stream: name, first, last }: ResendOperation): number {
  const stream = tables.streams.find(name);
  if (stream === null) return 0;
  const withheld = new Set(tables.quarantine.withheld(stream.id));
  const sent = tables.quarantine.sent(stream.id, first, last);
  for (const position of sent) withheld.add(position);
  let count = 0;
  let bytes = 0;
  const insertAgain = (position: number, of: { scope: string; receivedAt: number }, run: EventRun): void => {
    tables.batches.insertAgain(stream.id, position, of.scope, of.receivedAt, run);
    count += run.ends.length;
    bytes += run.body.length;
  };
  const kept = [...tables.retention.find(stream.id, first, last), ...tables.batches.written(stream.id, first, last)];
  for (const row of kept) {
    const from = Math.max(row.first, first);
    const to = Math.min(row.first + row.count, last + 1);
    const free = freeRuns(tables, stream.id, from, to, withheld);
    if (free.length === 0) continue;
    const { events, sound } = "events" in row ? { events: row.events, sound: true } : tables.batches.events(row.batch);
    if (!sound) continue;
    for (const run of free) insertAgain(run.from, row, sliceRun(events, run.from - row.first, run.to - row.first));
  }
  for (const position of sent) {
    if (tables.batches.heads(stream.id, position, position, 1).length > 0) continue;
    const again = tables.quarantine.lastSent(stream.id, position);
    if (again !== null) insertAgain(position, again, runOf(again.event));
  }
  if (count > 0) tables.streams.add(stream.id, { delivered: -count, pending: count, pendingBytes: bytes });
  return count;
}

/** Stretches of `from` to `to` (exclusive) in which nothing waits and nothing is withheld. */
function freeRuns(tables: SettleTables, stream: number, from: number, to: number, withheld: ReadonlySet<number>) {
  const taken = new Set(withheld);
  for (const head of tables.batches.heads(stream, from, to - 1, to - from)) {
    for (let position = head.first; position < head.first + head.count; position++) taken.add(position);
  }
  const runs: { from: number; to: number }[] = [];
  for (let position = from; position < to; position++) {
    if (taken.has(position)) continue;
    const run = runs.at(-1);
    if (run?.to === position) run.to++;
    else runs.push({ from: position, to: position + 1 });
  }
  return runs;
}

function runOf(event: Uint8Array): EventRun {
  return { body: event, ends: Uint32Array.of(event.length) };
}

/** Where a stream's undelivered positions are. */
export function positions(tables: SettleTables, name: string): PositionsOutcome {
  const stream = tables.streams.find(name);
  if (stream === null) return { kind: "positions", pending: [], withheld: [] };
  const pending: [number, number][] = [];
  for (const { first, count } of tables.batches.waiting(stream.id)) add(pending, first, first + count - 1);
  const withheld: [number, number][] = [];
  for (const position of tables.quarantine.withheld(stream.id)) add(withheld, position, position);
  return { kind: "positions", pending, withheld };
}

function add(ranges: [number, number][], first: number, last: number): void {
  const end = ranges.at(-1);
  if (end !== undefined && end[1] + 1 === first) end[1] = last;
  else ranges.push([first, last]);
}
