/**
 * Measuring beside a floor: a subject and the least program that could do the same job run by turns in one go, on the
 * same machine under the same load, so that their ratio means something where their figures do not.
 */

/** What one run showed. */
export interface Sample {
  readonly eventsPerSecond: number;
  /** Of the whole process group, kernel time included. */
  readonly cpuMicrosPerEvent: number;
  /** Of single requests. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Resident memory at its highest, of the whole process group; MB of 2^20 bytes. */
  readonly peakMb: number;
  /** CPU of the load generator, which is none of the subject's. */
  readonly loadMicrosPerEvent: number;
}

/** Of each round's own two figures: the median of all rounds, and the extremes. */
export interface Ratio {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

/** Which figure of a row is the one that counts. */
export type Compared = "eventsPerSecond" | "p50Ms" | "p99Ms";

export interface Measured {
  /** Of the row. */
  readonly name: string;
  readonly rounds: number;
  /** Medians of the rounds, figure by figure. */
  readonly weir: Sample;
  readonly floor: Sample;
  /** Weir's figure divided by the floor's: of a rate 1 is as fast as the floor, of a time as short. */
  readonly ratio: Ratio;
  /** CPU an event, likewise. */
  readonly cpuRatio: Ratio;
  /** Figures that have no floor, by name with their unit. */
  readonly also: Readonly<Record<string, number>>;
}

export interface Round<W, F> {
  readonly weir: W;
  readonly floor: F;
}

/** Runs both by turns, the first to go changing each round; the first round, 0, is to warm up and counts for nothing. */
export async function byTurns<W, F>(
  rounds: number,
  weir: (round: number) => Promise<W>,
  floor: (round: number) => Promise<F>,
): Promise<Round<W, F>[]> {
  const kept: Round<W, F>[] = [];
  for (let round = 0; round <= rounds; round++) {
    const weirFirst = round % 2 === 0;
    const early = weirFirst ? await weir(round) : await floor(round);
    const late = weirFirst ? await floor(round) : await weir(round);
    if (round > 0) kept.push((weirFirst ? { weir: early, floor: late } : { weir: late, floor: early }) as Round<W, F>);
  }
  return kept;
}

/** @throws Error where there is no round. */
export function measured(
  name: string,
  compared: Compared,
  rounds: readonly Round<Sample, Sample>[],
  also: Readonly<Record<string, number>> = {},
): Measured {
  if (rounds.length === 0) throw new Error(`${name}: no round was measured`);
  const ratioOf = (figure: keyof Sample) => spread(rounds.map(({ weir, floor }) => weir[figure] / floor[figure]));
  return {
    name,
    rounds: rounds.length,
    weir: medians(rounds.map(({ weir }) => weir)),
    floor: medians(rounds.map(({ floor }) => floor)),
    ratio: ratioOf(compared),
    cpuRatio: ratioOf("cpuMicrosPerEvent"),
    also,
  };
}

function medians(samples: readonly Sample[]): Sample {
  const of = (figure: keyof Sample) => median(samples.map((sample) => sample[figure]));
  return {
    eventsPerSecond: of("eventsPerSecond"),
    cpuMicrosPerEvent: of("cpuMicrosPerEvent"),
    p50Ms: of("p50Ms"),
    p99Ms: of("p99Ms"),
    peakMb: of("peakMb"),
    loadMicrosPerEvent: of("loadMicrosPerEvent"),
  };
}

function spread(ratios: readonly number[]): Ratio {
  return { median: median(ratios), lowest: Math.min(...ratios), highest: Math.max(...ratios) };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
