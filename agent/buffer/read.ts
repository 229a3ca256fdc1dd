/** Packs pending events for a call: whole rows while they fit, part of one only when it alone is too large. */
import { type BatchTable, parseScope } from "./batch-table.ts";
import { countFitting, joinRuns, sliceRun } from "./event-run.ts";
import type { EventRun, ReadOperation, ReadOutcome } from "./operations.ts";
import type { StreamTable } from "./stream-table.ts";

/** Rows looked at for one call; many tiny requests then make a smaller call, never an unbounded read. */
const ROWS_MAX = 4096;

export interface ReadTables {
  readonly streams: StreamTable;
  readonly batches: BatchTable;
}

export function read(tables: ReadTables, operation: ReadOperation): ReadOutcome {
  const { from, until, bytesMax, eventsMax } = operation;
  const stream = tables.streams.find(operation.stream);
  if (stream === null) return { kind: "nothing" };
  const heads = tables.batches.heads(stream.id, from, until - 1, Math.min(ROWS_MAX, eventsMax));
  const [head] = heads;
  if (head === undefined) return { kind: "nothing" };

  const first = Math.max(head.first, from);
  const parts: EventRun[] = [];
  let bytes = 0;
  let count = 0;
  for (const next of heads) {
    if (parts.length > 0) {
      const joins = next.first === first + count && next.scope === head.scope;
      const fits = bytes + 1 + next.bytes <= bytesMax && count + next.count <= eventsMax;
      if (!joins || !fits || next.first + next.count > until) break;
    }
    const row = tables.batches.events(next.batch);
    if (!row.sound) {
      if (parts.length > 0) break;
      return { kind: "damaged", first: next.first, count: next.count };
    }
    const begin = next.skip + Math.max(0, from - next.first);
    const end = next.skip + Math.min(next.count, until - next.first);
    const wanted = sliceRun(row.events, begin, end);
    const part = sliceRun(wanted, 0, countFitting(wanted, 0, bytesMax, eventsMax));
    parts.push(part);
    bytes += part.body.length + (parts.length > 1 ? 1 : 0);
    count += part.ends.length;
    if (begin + part.ends.length < next.skip + next.count) break;
  }
  return { kind: "run", run: { first, scope: parseScope(head.scope), events: joinRuns(parts) } };
}
