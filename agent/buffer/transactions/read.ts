/** Packs pending events for a call: whole rows while they fit, part of one only when it alone is too large. */
import type { PendingHead } from "../tables/batches.ts";
import { countFitting, type EventRun, freeBytes, joinRuns, sliceRun } from "../tables/event-run.ts";
import { parseScope, type Scope } from "../tables/scope.ts";
import type { Context } from "./context.ts";

/** The first pending events from `from` on and below `until`: one run of positions, one scope. */
export interface ReadInput {
  readonly stream: string;
  readonly from: number;
  readonly until: number;
  readonly bytesMax: number;
  readonly eventsMax: number;
}

export interface PendingRun {
  readonly first: number;
  readonly scope: Scope;
  readonly events: EventRun;
  /** When each event came in, in milliseconds since 1970. */
  readonly receivedAt: Float64Array;
}

export type ReadOutcome =
  | { readonly kind: "run"; readonly run: PendingRun }
  /** The bytes of these events are not those that were written: settle them into quarantine. */
  | { readonly kind: "damaged"; readonly first: number; readonly count: number }
  | { readonly kind: "nothing" };

/** Rows looked at for one call; many tiny requests then make a smaller call, never an unbounded read. */
const ROWS_MAX = 4096;

/** Reads one run of what waits. */
export function read(tables: Context, input: ReadInput): ReadOutcome {
  const { from, until, bytesMax, eventsMax } = input;
  const stream = tables.streams.find(input.stream);
  if (stream === null) return { kind: "nothing" };
  let head: PendingHead | null = null;
  let first = from;
  const parts: EventRun[] = [];
  const times: number[] = [];
  const rows: Uint8Array[] = [];
  let bytes = 0;
  let count = 0;
  for (const next of tables.batches.iterateHeads(stream.id, from, until - 1, Math.min(ROWS_MAX, eventsMax))) {
    if (head === null) {
      head = next;
      first = Math.max(head.first, from);
    } else {
      const joins = next.first === first + count && next.scope === head.scope;
      const fits = bytes + 1 + next.bytes <= bytesMax && count + next.count <= eventsMax;
      if (!joins || !fits || next.first + next.count > until) break;
    }
    const row = tables.batches.events(next.batch);
    if (!row.sound) {
      if (parts.length > 0) break;
      return { kind: "damaged", first: next.first, count: next.count };
    }
    rows.push(row.events.body);
    const begin = next.skip + Math.max(0, from - next.first);
    const end = next.skip + Math.min(next.count, until - next.first);
    const wanted = sliceRun(row.events, begin, end);
    const part = sliceRun(wanted, 0, countFitting(wanted, 0, bytesMax, eventsMax));
    parts.push(part);
    for (let i = 0; i < part.ends.length; i++) times.push(next.receivedAt);
    bytes += part.body.length + (parts.length > 1 ? 1 : 0);
    count += part.ends.length;
    if (begin + part.ends.length < next.skip + next.count) break;
  }
  if (head === null) return { kind: "nothing" };
  const events = joinRuns(parts);
  if (parts.length > 1) for (const row of rows) freeBytes(row);
  const receivedAt = Float64Array.from(times);
  return { kind: "run", run: { first, scope: parseScope(head.scope), events, receivedAt } };
}
