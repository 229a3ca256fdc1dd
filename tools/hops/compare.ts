/** What differs between two hops, or within one, by stream, producer and position. Pure. */
import { type Range, rangesOf, sizeOf, without } from "./ranges.ts";
import type { AgentStream, EdgeEvent, EdgeLedgerRow } from "./sides.ts";

export type Hop = "agent" | "agent → edge" | "edge" | "edge → twin";

export interface Difference {
  /** Of so many events. */
  readonly count: number;
  readonly what: string;
  /** Where they are known by their producer's positions. */
  readonly positions: readonly Range[];
  /** Ids at the edge, the first of them, where they are not. */
  readonly ids: readonly string[];
}

/** One hop of one producer's stream; it agrees where nothing differs. */
export interface Finding {
  readonly hop: Hop;
  readonly stream: string;
  /** Null: of events that no producer numbered. */
  readonly producer: string | null;
  /** Events that were looked at. */
  readonly events: number;
  readonly differences: readonly Difference[];
}

const IDS_MAX = 20;

function difference(
  what: string,
  positions: readonly Range[],
  ids: readonly string[] = [],
  count?: number,
): Difference {
  return { count: count ?? sizeOf(positions) + ids.length, what, positions, ids: ids.slice(0, IDS_MAX) };
}

/** Whether the agent's own counts and rows agree: what waits by its ledger must be there. */
export function compareAgent(producer: string, { stream, ledger, positions }: AgentStream): Finding {
  const found = [
    ...sumDifference(ledger),
    ...unequal("pending by the ledger, but not in the log", ledger.pending, sizeOf(positions.pending)),
  ];
  return { hop: "agent", stream, producer, events: ledger.accepted, differences: found };
}

/**
 * What the agent delivered must be at the edge, and nothing else. What waits at the agent may be there already, its answer
 * lost, so it is neither missing nor too much.
 * @param agent as it was before the edge was read.
 */
export function compareAgentWithEdge(producer: string, agent: AgentStream, row: EdgeLedgerRow | undefined): Finding {
  const { stream, last, ledger, positions } = agent;
  const taken = row === undefined ? [] : takenBy(row);
  const all: Range[] = last > 0 ? [[1, last]] : [];
  const delivered = without(without(all, positions.pending), positions.withheld);
  const missing = without(delivered, taken);
  const surplus = without(without(taken, without(all, positions.withheld)), [[last + 1, Number.MAX_SAFE_INTEGER]]);
  const differences = [
    ...(missing.length === 0 ? [] : [difference("missing at the edge", missing)]),
    ...(surplus.length === 0 ? [] : [difference("at the edge, but never sent by this agent", surplus)]),
  ];
  return { hop: "agent → edge", stream, producer, events: ledger.delivered, differences };
}

function takenBy({ first_sequence: first, last_sequence: last, gaps }: EdgeLedgerRow): Range[] {
  return first === undefined || last === undefined ? [] : without([[first, last]], gaps);
}

/**
 * Whether a row of the edge's ledger adds up, is without gaps, and has an event for each that it counts.
 * @param events of this producer's stream; null: they were not read.
 * @param gapsKnown where the agent was read, its own comparison says which gaps are holes.
 */
export function compareEdge(row: EdgeLedgerRow, events: readonly EdgeEvent[] | null, gapsKnown: boolean): Finding {
  const { stream, producer = null, accepted } = row;
  const gaps = gapsKnown ? [] : row.gaps;
  const differences = [
    ...sumDifference(row),
    ...(gaps.length === 0 ? [] : [difference("positions that never came, between the first and the last", gaps)]),
    ...(events === null ? [] : notListed(row, events)),
  ];
  return { hop: "edge", stream, producer, events: accepted, differences };
}

function notListed(row: EdgeLedgerRow, events: readonly EdgeEvent[]): Difference[] {
  const count = row.accepted - events.length;
  if (count === 0) return [];
  if (count < 0) return [difference("there, but not counted", [], [], -count)];
  const listed = rangesOf(events.flatMap(({ position }) => position ?? []));
  // A position whose event was there before, by its own id, has no event of its own either.
  const positions = without(takenBy(row), listed);
  const isAmong = sizeOf(positions) > count;
  return [difference(`counted, but not there${isAmong ? ", among these positions" : ""}`, positions, [], count)];
}

/** What the edge says it delivered must be at the twin, as often. */
export function compareWithTwin(
  stream: string,
  events: readonly EdgeEvent[],
  received: readonly unknown[],
  isQuiet: boolean,
): Finding[] {
  const left = new Map<string, number>();
  for (const event of received) count(left, keyOf(stream, event), 1);
  const byProducer = Map.groupBy(events, ({ producer }) => producer ?? null);
  const findings = [...byProducer].map(([producer, own]): Finding => {
    const missing = own.filter((event) => event.state === "delivered" && !take(left, keyOf(stream, event.event)));
    // What waits may have arrived, its answer lost or not read yet.
    for (const event of own) if (event.state === "pending") take(left, keyOf(stream, event.event));
    const delivered = own.filter(({ state }) => state === "delivered").length;
    const differences = missing.length === 0 ? [] : [missingDifference(missing)];
    return { hop: "edge → twin", stream, producer, events: delivered, differences };
  });
  const surplus = [...left.values()].reduce((sum, times) => sum + times, 0);
  if (surplus === 0 || !isQuiet) return findings;
  const what = "at the twin, but not delivered by this edge, or more often";
  return [
    ...findings,
    { hop: "edge → twin", stream, producer: null, events: 0, differences: [difference(what, [], [], surplus)] },
  ];
}

function missingDifference(missing: readonly EdgeEvent[]): Difference {
  const positions = rangesOf(missing.flatMap(({ position }) => position ?? []));
  const ids = missing.filter(({ position }) => position === undefined).map(({ id }) => id);
  return difference("delivered by the edge's ledger, but missing at the twin", positions, ids, missing.length);
}

function count(counts: Map<string, number>, key: string, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

function take(counts: Map<string, number>, key: string): boolean {
  const there = counts.get(key) ?? 0;
  if (there > 1) counts.set(key, there - 1);
  else counts.delete(key);
  return there > 0;
}

/** Events of Solvimon's kinds get their timestamp on the way; all else is as it came. */
function keyOf(stream: string, event: unknown): string {
  if (stream.startsWith("usage/") || typeof event !== "object" || event === null) return JSON.stringify(event);
  return JSON.stringify({ ...event, timestamp: undefined });
}

interface Sums {
  readonly accepted: number;
  readonly pending: number;
  readonly delivered: number;
  readonly quarantined: number;
  readonly discarded: number;
}

function sumDifference({ accepted, pending, delivered, quarantined, discarded }: Sums): Difference[] {
  const what = "accepted, but neither pending, delivered, quarantined nor discarded";
  return unequal(what, accepted, pending + delivered + quarantined + discarded);
}

function unequal(what: string, one: number, other: number): Difference[] {
  return one === other ? [] : [difference(what, [], [], Math.abs(one - other))];
}
