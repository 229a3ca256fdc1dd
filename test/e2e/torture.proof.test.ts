/**
 * Kill -9 in small: clients write down what they were told, the agent is killed at random moments and at each named
 * crash point, everything upstream misbehaves, and in the end each event is where it should be, once.
 * `npm run torture` does the same a thousand times.
 */
import { expect, test } from "vitest";
import { POINTS } from "../torture/deaths.ts";
import { torture } from "../torture/torture.ts";

test.each([
  { destination: "edge", kills: 25 },
  { destination: "zuora", kills: 15 },
  { destination: "solvimon", kills: 15 },
] as const)(
  "an agent killed $kills times under load, delivering to $destination, loses and doubles nothing",
  async ({ destination, kills }) => {
    const report = await torture({ kills, seed: 20_260_000 + kills, destination });
    expect(report.findings).toEqual([]);
    expect(
      POINTS.filter((point) => report.hits[point] === 0),
      "points no kill hit",
    ).toEqual([]);
    expect(report.hits.random).toBeGreaterThanOrEqual(Math.floor(kills / 2));
    expect(report.owed).toBeGreaterThan(kills * 10);
    expect(report.arrived).toBeGreaterThanOrEqual(report.owed);
  },
);
