/** Positions as ranges, ends inclusive, in order. Not the agent's own arithmetic: what reconciles shares none with what it checks. */
export type Range = readonly [first: number, last: number];

/** What of `whole` is in none of `others`, whatever their order. */
export function without(whole: readonly Range[], others: readonly Range[]): Range[] {
  let left = [...whole];
  for (const [from, to] of others) {
    left = left.flatMap(([first, last]): Range[] => {
      if (to < first || from > last) return [[first, last]];
      const before: Range[] = first < from ? [[first, from - 1]] : [];
      const after: Range[] = to < last ? [[to + 1, last]] : [];
      return [...before, ...after];
    });
  }
  return left;
}

export function sizeOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}

/** Single positions, in any order and more than once, as ranges. */
export function rangesOf(positions: readonly number[]): Range[] {
  const ranges: [number, number][] = [];
  for (const position of [...positions].sort((a, b) => a - b)) {
    const end = ranges.at(-1);
    if (end !== undefined && position <= end[1] + 1) end[1] = position;
    else ranges.push([position, position]);
  }
  return ranges;
}

const SHOWN_MAX = 20;

/** For a person: `3, 7–9`. */
export function rangesText(ranges: readonly Range[]): string {
  const texts = ranges.slice(0, SHOWN_MAX).map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`));
  const rest = ranges.length - texts.length;
  return `${texts.join(", ")}${rest > 0 ? ` and ${rest} ranges more` : ""}`;
}
