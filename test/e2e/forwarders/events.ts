/** Lines that can be told apart, and how often each arrived. */

/** A usage event of its own: its quantity is its number. */
export function numbered(n: number): string {
  const id = String(n).padStart(6, "0");
  return `{"Id":"${id}","CustomerId":"c${n % 97}","UsageIdentifier":"egress_bytes","UsageDate":"2026-11-21T10:05:03Z","Quantity":${n}}`;
}

export interface Arrived {
  /** How many of the numbers below `count` are not there. */
  readonly missing: number;
  /** How many are there more than once. */
  readonly doubled: number;
  /** How many texts there are. */
  readonly total: number;
}

/** What a whole arrival of `count` lines looks like. */
export function eachOnce(count: number): Arrived {
  return { missing: 0, doubled: 0, total: count };
}

/** @param numberIn the number of a line, from its text as it arrived. */
export function arrivedOf(sources: readonly string[], count: number, numberIn = quantityIn): Arrived {
  const times = new Uint8Array(count);
  for (const source of sources) times[numberIn(source)] = (times[numberIn(source)] ?? 0) + 1;
  return {
    missing: times.filter((n) => n === 0).length,
    doubled: times.filter((n) => n > 1).length,
    total: sources.length,
  };
}

function quantityIn(source: string): number {
  return Number(/"Quantity": ?(\d+)/.exec(source)?.[1]);
}
