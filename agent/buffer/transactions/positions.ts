/** Where a stream's positions are that are not delivered. */
import type { Context } from "./context.ts";

/** Ends inclusive. */
export type PositionRange = readonly [first: number, last: number];

/** Ranges in order. */
export interface PositionsOutcome {
  readonly kind: "positions";
  readonly pending: readonly PositionRange[];
  readonly withheld: readonly PositionRange[];
}

/** What waits of a stream, and what nobody has sent. */
export function positions(tables: Context, { stream: name }: { readonly stream: string }): PositionsOutcome {
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
