/** Which positions of a stream are on their way, so that no event is packed twice at once. */

export interface PositionRange {
  readonly first: number;
  /** Exclusive. */
  readonly end: number;
}

/** A shipment's range, and how many of its events are still without a fate. */
export interface ShipmentRange extends PositionRange {
  unsettled: number;
  /** The ids headers of its events, as text. */
  readonly scope: string;
  /** Finds out whether a lane that is held may go on. */
  readonly isProbe: boolean;
  /** The count of held events that has these among them; null where none has. */
  readonly countedIn: object | null;
}

/** The stretches of positions that nothing in flight covers, in order; the last one is open-ended. */
export function freeStretches(inFlight: readonly PositionRange[]): PositionRange[] {
  const sorted = [...inFlight].sort((a, b) => a.first - b.first);
  const free: PositionRange[] = [];
  let from = 0;
  for (const range of sorted) {
    if (range.first > from) free.push({ first: from, end: range.first });
    from = Math.max(from, range.end);
  }
  free.push({ first: from, end: Number.MAX_SAFE_INTEGER });
  return free;
}
