/**
 * How the agent stands to Fluent Bit, which is not here. On one machine of two cores Fluent Bit 5.1.1 (buffer on disk, sync
 * full, a counting sink) and a sketch of sixty lines with the floor's promise ran side by side: the floor stands in for that
 * sketch. So this is an estimate, as wide as the sketch's own figures were; no measurement.
 */
import { figure } from "./figures.ts";
import type { Measured } from "./measure.ts";

/** The sketch's rate in Fluent Bit's, lowest and highest, by events a request. */
const FLOOR_IN_FLUENT_BITS: Readonly<Record<string, readonly [number, number]>> = {
  "1": [0.8, 0.8],
  "100": [1.6, 5],
  "1000": [3.3, 3.8],
};

/** @returns a row's rate in Fluent Bit's, estimated, in words; null for a row of another kind. */
export function ofFluentBit({ name, ratio }: Pick<Measured, "name" | "ratio">): string | null {
  const size = /^(?:agent|packaged)-(\d+)$/.exec(name)?.[1] ?? "";
  const floor = FLOOR_IN_FLUENT_BITS[size];
  if (floor === undefined) return null;
  const [low, high] = floor.map((share) => figure(ratio.median * share));
  return low === high ? `about ${low}` : `about ${low} to ${high}`;
}

export function fluentBitLines(all: readonly Measured[]): string[] {
  return all.flatMap((row) => {
    const share = ofFluentBit(row);
    return share === null ? [] : [`${row.name}: ${share} of Fluent Bit 5.1.1's rate (an estimate)`];
  });
}
