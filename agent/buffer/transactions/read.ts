/** Packs pending events for a call: whole rows while they fit, part of one only when it alone is too large. */
import type { PendingHead } from "../tables/batches.ts";
import { countFitting, type EventRun, freeBytes, joinRuns, sliceRun } from "../tables/event-run.ts";
import { parseScope, type Scope } from "../tables/scope.ts";
import type { Context } from "./context.ts";

/** The first pending events of some lanes from `from` on and below `until`: one run of positions, one scope. */
export interface ReadInput {
  readonly stream: string;
  readonly from: number;
  readonly until: number;
  readonly bytesMax: number;
  readonly eventsMax: number;
  /** By the text of their scope; any where they are absent. */
  readonly lanes?: { readonly only: string } | { readonly except: readonly string[] };
}

/** What was stepped over, for it belongs to other lanes: all of it is below `through`. */
export interface PassedOver {
  readonly through: number;
  readonly events: number;
  readonly bytes: number;
}

export interface PendingRun {
  readonly first: number;
  readonly scope: Scope;
  readonly events: EventRun;
  /** When each event came in, in milliseconds since 1970. */
  readonly receivedAt: Float64Array;
}

export type ReadOutcome = { readonly passed: PassedOver } & Found;

type Found =
  | { readonly kind: "run"; readonly run: PendingRun }
  /** The bytes of these events are not those that were written: settle them into quarantine. */
  | { readonly kind: "damaged"; readonly first: number; readonly count: number }
  /** Nothing so far: read on from `passed.through`. */
  | { readonly kind: "passed" }
  | { readonly kind: "nothing" };

/** Rows looked at for one call; many tiny requests then make a smaller call, never an unbounded read. */
const ROWS_MAX = 4096;

/** Reads one run of what waits. */
export function read(tables: Context, input: ReadInput): ReadOutcome {
  const { from, until, lanes } = input;
  const stream = tables.streams.find(input.stream);
  const passed = { through: from, events: 0, bytes: 0 };
  if (stream === null) return { kind: "nothing", passed };
  const limit = lanes === undefined ? Math.min(ROWS_MAX, input.eventsMax) : ROWS_MAX;
  const isWanted = laneTest(lanes);
  const heads = tables.batches.iterateHeads(stream.id, from, until - 1, limit)[Symbol.iterator]();
  let rows = 0;
  for (const head of { [Symbol.iterator]: () => heads }) {
    const first = Math.max(head.first, from);
    if (isWanted(head)) {
      passed.through = first;
      return { ...readRun(tables, head, heads, input), passed };
    }
    rows++;
    const end = Math.min(head.first + head.count, until);
    passed.through = end;
    passed.events += end - first;
    passed.bytes += (head.bytes * (end - first)) / head.count;
  }
  return { kind: rows < limit ? "nothing" : "passed", passed };
}

function laneTest(lanes: ReadInput["lanes"]): (head: PendingHead) => boolean {
  if (lanes === undefined) return () => true;
  if ("only" in lanes) return ({ scope }) => scope === lanes.only;
  const excepted = new Set(lanes.except);
  return ({ scope }) => !excepted.has(scope);
}

/** The run that begins with a row, over as many rows as join it and fit. */
function readRun(tables: Context, head: PendingHead, following: Iterator<PendingHead>, input: ReadInput): Found {
  const { from, until, bytesMax, eventsMax } = input;
  const first = Math.max(head.first, from);
  const parts: EventRun[] = [];
  const times: number[] = [];
  const rows: Uint8Array[] = [];
  let bytes = 0;
  let count = 0;
  for (let next: PendingHead | null = head; next !== null; next = following.next().value ?? null) {
    if (next !== head) {
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
  const events = joinRuns(parts);
  if (parts.length > 1) for (const row of rows) freeBytes(row);
  const receivedAt = Float64Array.from(times);
  return { kind: "run", run: { first, scope: parseScope(head.scope), events, receivedAt } };
}
