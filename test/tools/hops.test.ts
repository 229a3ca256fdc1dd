import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareAgent, compareAgentWithEdge, compareEdge, compareWithTwin } from "../../tools/hops/compare.ts";
import { type Range, rangesOf, sizeOf, without } from "../../tools/hops/ranges.ts";
import type { AgentStream, EdgeEvent, EdgeLedgerRow } from "../../tools/hops/sides.ts";

const STREAM = "usage/m";
const AGENT: AgentStream = {
  stream: STREAM,
  last: 10,
  ledger: { accepted: 10, delivered: 7, pending: 2, quarantined: 1, discarded: 0 },
  positions: { pending: [[9, 10]], withheld: [[3, 3]] },
};
const ROW: EdgeLedgerRow = {
  ...{
    stream: STREAM,
    producer: "p",
    duplicates: 0,
    first_sequence: 1,
    last_sequence: 8,
    gaps: [[3, 3]],
    gaps_total: 1,
  },
  ...{ accepted: 7, delivered: 6, pending: 1, quarantined: 0, discarded: 0 },
};
const event = (position: number, state = "delivered"): EdgeEvent => ({
  ...{ id: `usev_${position}`, stream: STREAM, producer: "p", position, state },
  event: { Quantity: position },
});
const EVENTS = [1, 2, 4, 5, 6, 7].map((position) => event(position)).concat(event(8, "pending"));
const RECEIVED = EVENTS.filter(({ state }) => state === "delivered").map((one) => one.event);
const nothing = { differences: [] };

describe("hops that agree", () => {
  test("differ in nothing, whatever waits and whatever the agent holds back", () => {
    expect(compareAgent("p", AGENT)).toMatchObject(nothing);
    expect(compareAgentWithEdge("p", AGENT, ROW)).toMatchObject(nothing);
    expect(compareEdge(ROW, EVENTS, true)).toMatchObject(nothing);
    expect(compareWithTwin(STREAM, EVENTS, RECEIVED, true)).toMatchObject([nothing]);
  });

  test("differ in nothing where what waits has arrived already, or came after the agent was read", () => {
    expect(compareAgentWithEdge("p", AGENT, { ...ROW, last_sequence: 14 })).toMatchObject(nothing);
    expect(compareWithTwin(STREAM, EVENTS, [...RECEIVED, event(8).event], true)).toMatchObject([nothing]);
    expect(compareWithTwin(STREAM, EVENTS, [...RECEIVED, { Quantity: 99 }], false)).toMatchObject([nothing]);
  });

  test("a repeat that an own id made known takes its position and leaves no event", () => {
    const row = { ...ROW, accepted: 6, pending: 0, duplicates: 1 };
    expect(
      compareEdge(
        row,
        EVENTS.filter(({ state }) => state === "delivered"),
        true,
      ),
    ).toMatchObject(nothing);
  });

  test("an event of Solvimon's is the same with the time that was filled in on the way", () => {
    const [sent, got] = [{ reference: "r" }, { reference: "r", timestamp: "2026-01-01T00:00:00Z" }];
    const events = [{ ...event(1), stream: "persist", event: sent }];
    expect(compareWithTwin("persist", events, [got], true)).toMatchObject([nothing]);
  });
});

describe("a hole is named with its positions", () => {
  test("in the agent's log", () => {
    const agent = { ...AGENT, positions: { ...AGENT.positions, pending: [] } };
    expect(compareAgent("p", agent).differences).toMatchObject([{ count: 2 }]);
    expect(compareAgentWithEdge("p", agent, ROW).differences).toMatchObject([{ positions: [[9, 10]] }]);
  });

  test("between agent and edge, both ways", () => {
    const lacking: Range[] = [
      [3, 3],
      [5, 6],
    ];
    expect(compareAgentWithEdge("p", AGENT, { ...ROW, gaps: lacking }).differences).toMatchObject([
      { count: 2, positions: [[5, 6]] },
    ]);
    expect(compareAgentWithEdge("p", AGENT, undefined).differences).toMatchObject([
      {
        positions: [
          [1, 2],
          [4, 8],
        ],
      },
    ]);
    expect(compareAgentWithEdge("p", AGENT, { ...ROW, gaps: [] }).differences).toMatchObject([{ positions: [[3, 3]] }]);
  });

  test("within the edge: what is counted and not there, what never came, what does not add up", () => {
    expect(compareEdge(ROW, EVENTS.slice(1), true).differences).toMatchObject([{ count: 1, positions: [[1, 1]] }]);
    expect(compareEdge(ROW, null, false).differences).toMatchObject([{ count: 1, positions: [[3, 3]] }]);
    expect(compareEdge({ ...ROW, delivered: 4 }, null, true).differences).toMatchObject([{ count: 2 }]);
  });

  test("at the twin, and what it has too often", () => {
    const found = compareWithTwin(STREAM, EVENTS, RECEIVED.slice(2), true);
    expect(found).toMatchObject([{ producer: "p", differences: [{ count: 2, positions: [[1, 2]] }] }]);
    const twice = compareWithTwin(STREAM, EVENTS, [...RECEIVED, RECEIVED[0]], true);
    expect(twice).toMatchObject([nothing, { differences: [{ count: 1 }] }]);
  });
});

test("ranges hold exactly the positions that sets of them would", () => {
  const positions = fc.array(fc.integer({ min: 1, max: 60 }));
  fc.assert(
    fc.property(positions, positions, (whole, others) => {
      const left = new Set(whole.filter((position) => !others.includes(position)));
      const ranges = without(rangesOf(whole), rangesOf(others));
      expect(sizeOf(ranges)).toBe(left.size);
      expect(rangesOf([...left])).toEqual(ranges);
    }),
  );
});
