import { expect, test } from "vitest";
import { freeStretches } from "../../agent/upload/in-flight.ts";

test("what is free lies before, between and behind what is on its way", () => {
  const open = Number.MAX_SAFE_INTEGER;
  expect(freeStretches([])).toEqual([{ first: 0, end: open }]);
  expect(
    freeStretches([
      { first: 10, end: 20 },
      { first: 1, end: 5 },
      { first: 20, end: 30 },
    ]),
  ).toEqual([
    { first: 0, end: 1 },
    { first: 5, end: 10 },
    { first: 30, end: open },
  ]);
});
