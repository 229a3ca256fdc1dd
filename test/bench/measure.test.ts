import { expect, test } from "vitest";
import { byTurns, measured, median, type Sample } from "./measure.ts";

const ZERO: Sample = { eventsPerSecond: 0, cpuMicrosPerEvent: 1, p50Ms: 0, p99Ms: 0, peakMb: 0, loadMicrosPerEvent: 0 };

test("both run by turns, the first to go changes, and the first round counts for nothing", async () => {
  const order: string[] = [];
  const rounds: number[] = [];
  const next = (who: string) => async (round: number) => {
    rounds.push(round);
    return order.push(who);
  };
  const kept = await byTurns(3, next("weir"), next("floor"));
  expect(order).toEqual(["weir", "floor", "floor", "weir", "weir", "floor", "floor", "weir"]);
  expect(rounds).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
  expect(kept).toEqual([
    { weir: 4, floor: 3 },
    { weir: 5, floor: 6 },
    { weir: 8, floor: 7 },
  ]);
});

test("a ratio is that of each round's own two figures, with its extremes, beside the medians of all", () => {
  const rounds = [
    [50, 100],
    [100, 100],
    [40, 120],
  ].map(([weir = 0, floor = 0]) => ({
    weir: { ...ZERO, eventsPerSecond: weir, cpuMicrosPerEvent: 6 },
    floor: { ...ZERO, eventsPerSecond: floor, cpuMicrosPerEvent: 2 },
  }));
  const row = measured("n", "eventsPerSecond", rounds);
  expect(row).toMatchObject({ weir: { eventsPerSecond: 50 }, floor: { eventsPerSecond: 100 }, rounds: 3 });
  expect(row.ratio).toEqual({ median: 0.5, lowest: 1 / 3, highest: 1 });
  expect(row.cpuRatio).toEqual({ median: 3, lowest: 3, highest: 3 });
});

test("a median of an even number lies between the two in the middle", () => {
  expect(median([4, 1, 3, 2])).toBe(2.5);
});
