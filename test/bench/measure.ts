/**
 * Measuring beside a floor: a subject and the least program that could do the same job run by turns in one go, on the
 * same machine under the same load, so that their ratio means something where their figures do not.
 */

export interface Measured {
  readonly name: string;
  /** What a figure counts: "events/s", "ms". */
  readonly unit: string;
  /** Whether more is better, as of events/s; less is, as of ms. */
  readonly higherIsBetter: boolean;
  /** Medians of the rounds. */
  readonly weir: number;
  readonly floor: number;
  readonly floorIs: string;
  /** How many times the floor's cost: 1 is as cheap as the floor, 3 three times as dear. Median of the rounds' own. */
  readonly ratio: number;
  readonly ratioLowest: number;
  readonly ratioHighest: number;
  /** Figures that have no floor, by name with their unit. */
  readonly also: Readonly<Record<string, number | string>>;
}

export interface Comparison {
  readonly name: string;
  readonly unit: string;
  readonly higherIsBetter: boolean;
  readonly floorIs: string;
  readonly rounds: number;
  weir(): Promise<number>;
  floor(): Promise<number>;
  also?(): Promise<Readonly<Record<string, number | string>>>;
}

/** Runs both by turns, the first to go changing each round; one round before counts for nothing. */
export async function compare(comparison: Comparison): Promise<Measured> {
  const { name, unit, higherIsBetter, floorIs, rounds } = comparison;
  const figures: { readonly weir: number; readonly floor: number }[] = [];
  for (let round = 0; round <= rounds; round++) {
    const weirFirst = round % 2 === 0;
    const early = weirFirst ? await comparison.weir() : await comparison.floor();
    const late = weirFirst ? await comparison.floor() : await comparison.weir();
    if (round > 0) figures.push(weirFirst ? { weir: early, floor: late } : { weir: late, floor: early });
  }
  const ratios = figures.map(({ weir, floor }) => (higherIsBetter ? floor / weir : weir / floor));
  return {
    ...{ name, unit, higherIsBetter, floorIs },
    weir: median(figures.map((figure) => figure.weir)),
    floor: median(figures.map((figure) => figure.floor)),
    ratio: median(ratios),
    ratioLowest: Math.min(...ratios),
    ratioHighest: Math.max(...ratios),
    also: (await comparison.also?.()) ?? {},
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
