/** Takes what waits in a lane into quarantine: counted there, under the positions it has. */
import type { PendingHead } from "../tables/batches.ts";
import type { QuarantineReason } from "../tables/quarantine.ts";
import type { Context } from "./context.ts";
import { settle } from "./settle.ts";

export interface WithdrawInput {
  readonly stream: string;
  /** The lane's ids, as text. */
  readonly scope: string;
  /** Where to go on: positions from here. */
  readonly from: number;
  /** On their way just now, ends exclusive: they stay. */
  readonly inFlight: readonly { readonly first: number; readonly end: number }[];
  readonly reason: QuarantineReason;
  readonly at: number;
}

export interface Withdrawn {
  readonly kind: "withdrawn";
  readonly stream: string;
  readonly count: number;
  /** Events that stay because a call with them may have been accepted. */
  readonly doubtful: number;
  /** Where the rest begins; null where this was all. */
  readonly next: number | null;
}

/** Of one transaction, so that none takes long. */
const EVENTS_MAX = 1000;
const ROWS_MAX = 4096;

export function withdraw(tables: Context, { stream: name, ...input }: WithdrawInput): Withdrawn {
  const stream = tables.streams.find(name);
  if (stream === null) return { kind: "withdrawn", stream: name, count: 0, doubtful: 0, next: null };
  const inDoubt = tables.shipments
    .all()
    .filter(({ stream: of, attempted }) => of === name && attempted > 0)
    .map(({ first, count }) => ({ first, end: first + count }));
  const rows = tables.batches.heads(stream.id, input.from, Number.MAX_SAFE_INTEGER, ROWS_MAX);
  let count = 0;
  let doubtful = 0;
  let next: number | null = rows.length < ROWS_MAX ? null : endOf(rows.at(-1));
  for (const head of rows) {
    if (head.scope !== input.scope) continue;
    const positions = positionsOf(head, input.from).filter((position) => !isIn(input.inFlight, position));
    doubtful += positions.filter((position) => isIn(inDoubt, position)).length;
    const certain = positions.filter((position) => !isIn(inDoubt, position));
    const chosen = certain.slice(0, EVENTS_MAX - count);
    for (const run of runsOf(chosen)) {
      const quarantine = run.map((position) => ({ position, reason: input.reason }));
      settle(tables, { stream: name, first: run[0] ?? 0, count: run.length, at: input.at, quarantine });
    }
    count += chosen.length;
    if (count < EVENTS_MAX) continue;
    // What is in doubt is counted again with the next part.
    next = (chosen.at(-1) ?? head.first) + 1;
    doubtful -= positions.filter((position) => isIn(inDoubt, position) && position >= (next ?? 0)).length;
    break;
  }
  return { kind: "withdrawn", stream: name, count, doubtful, next };
}

function endOf(head: PendingHead | undefined): number {
  return head === undefined ? 0 : head.first + head.count;
}

function positionsOf(head: PendingHead, from: number): number[] {
  const first = Math.max(head.first, from);
  return Array.from({ length: endOf(head) - first }, (_, index) => first + index);
}

/** Positions in order, as those that follow each other. */
function runsOf(positions: readonly number[]): number[][] {
  const runs: number[][] = [];
  for (const position of positions) {
    const run = runs.at(-1);
    if (run !== undefined && run.at(-1) === position - 1) run.push(position);
    else runs.push([position]);
  }
  return runs;
}

function isIn(ranges: readonly { readonly first: number; readonly end: number }[], position: number): boolean {
  return ranges.some(({ first, end }) => position >= first && position < end);
}
