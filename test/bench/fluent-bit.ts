/**
 * How the agent stands to Fluent Bit, which is not here: its rate was measured once, on the machine that `FLOOR_THERE` was
 * measured on too, so the floor carries the relation to any machine. An estimate, no measurement.
 */
import type { Measured } from "./measure.ts";

/** Fluent Bit 5.1.1, buffer on disk, sync full, one counting sink; events/s by events a request. */
const FLUENT_BIT: Readonly<Record<string, number>> = { "1": 22_000, "100": 78_000, "1000": 74_000 };
/** The agent's floor on that machine. */
const FLOOR_THERE: Readonly<Record<string, number>> = { "1": 9_000, "100": 140_000, "1000": 190_000 };

/** @returns a row's rate in Fluent Bit's, estimated; null for a row of another kind. */
export function ofFluentBit({ name, ratio }: Pick<Measured, "name" | "ratio">): number | null {
  const size = /^(?:agent|packaged)-(\d+)$/.exec(name)?.[1] ?? "";
  const fluentBit = FLUENT_BIT[size];
  const floor = FLOOR_THERE[size];
  return fluentBit === undefined || floor === undefined ? null : (ratio.median * floor) / fluentBit;
}

export function fluentBitLines(all: readonly Measured[]): string[] {
  return all.flatMap((row) => {
    const share = ofFluentBit(row);
    return share === null ? [] : [`${row.name}: about ${share.toFixed(2)} of Fluent Bit 5.1.1's rate (an estimate)`];
  });
}
