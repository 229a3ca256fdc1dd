import { expect, test } from "vitest";
import { compare, median } from "./measure.ts";

test("both run by turns, the first to go changes, the first round counts for nothing, and the ratio is of each round", async () => {
  const order: string[] = [];
  const figures = { weir: [1, 50, 100, 40], floor: [1, 100, 100, 120] };
  const next = (who: "weir" | "floor") => async () => {
    order.push(who);
    return figures[who].shift() ?? Number.NaN;
  };
  const of = { name: "n", unit: "events/s", higherIsBetter: true, floorIs: "f", rounds: 3 };
  const measured = await compare({ ...of, weir: next("weir"), floor: next("floor") });
  expect(order).toEqual(["weir", "floor", "floor", "weir", "weir", "floor", "floor", "weir"]);
  expect(measured).toMatchObject({ weir: 50, floor: 100, ratio: 2, ratioLowest: 1, ratioHighest: 3 });
});

test("of times, less is better", async () => {
  const of = { name: "n", unit: "ms", higherIsBetter: false, floorIs: "f", rounds: 1 };
  expect(await compare({ ...of, weir: async () => 6, floor: async () => 2 })).toMatchObject({ ratio: 3 });
});

test("a median of an even number lies between the two in the middle", () => {
  expect(median([4, 1, 3, 2])).toBe(2.5);
});
