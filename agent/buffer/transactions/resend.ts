/** Lets delivered positions wait again, as far as their events are still here: the edge folds what it has. */

import type { Origin } from "../tables/batches.ts";
import { type EventRun, runOf, sliceRun } from "../tables/event-run.ts";
import type { Context } from "./context.ts";

/** Positions `first` to `last`, inclusive. */
export interface ResendInput {
  readonly stream: string;
  readonly first: number;
  readonly last: number;
}

/** How many of them wait again. */
export interface ResendOutcome {
  readonly kind: "resent";
  readonly count: number;
}

const NOTHING: ResendOutcome = { kind: "resent", count: 0 };

/**
 * Lets the delivered positions of a range wait again whose events are still here: retained, or in a row of which others
 * still wait.
 */
export function resend(tables: Context, { stream: name, first, last }: ResendInput): ResendOutcome {
  const stream = tables.streams.find(name);
  if (stream === null) return NOTHING;
  const withheld = new Set(tables.quarantine.withheld(stream.id));
  const sent = tables.quarantine.sent(stream.id, first, last);
  for (const position of sent) withheld.add(position);
  let count = 0;
  let bytes = 0;
  const insertAgain = (position: number, { scope, receivedAt }: Origin, run: EventRun): void => {
    tables.batches.insertAgain(stream.id, position, { scope, receivedAt }, run);
    count += run.ends.length;
    bytes += run.body.length;
  };
  const kept = [...tables.retained.find(stream.id, first, last), ...tables.batches.written(stream.id, first, last)];
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
  return { kind: "resent", count };
}

/** Stretches of `from` to `to` (exclusive) in which nothing waits and nothing is withheld. */
function freeRuns(tables: Context, stream: number, from: number, to: number, withheld: ReadonlySet<number>) {
  const held = new Set(withheld);
  for (const head of tables.batches.heads(stream, from, to - 1, to - from)) {
    for (let position = head.first; position < head.first + head.count; position++) held.add(position);
  }
  const runs: { from: number; to: number }[] = [];
  for (let position = from; position < to; position++) {
    if (held.has(position)) continue;
    const run = runs.at(-1);
    if (run?.to === position) run.to++;
    else runs.push({ from: position, to: position + 1 });
  }
  return runs;
}
