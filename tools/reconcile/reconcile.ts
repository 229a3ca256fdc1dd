/** What the three ledgers must say at the end of the demo, and where they don't. Pure. */

import { grouped, tableLines } from "../terminal/text-table.ts";
import type { HopLedger, Ledgers } from "./ledgers.ts";

export interface Expected {
  readonly stream: string;
  /** The source texts that were fed, in any order. */
  readonly lines: readonly string[];
}

export interface Reconciliation {
  readonly ledgers: Ledgers;
  /** The source texts that the twin has taken. */
  readonly received: readonly string[];
}

/** One sentence for each thing that differs; empty when all agree. */
export function differences({ stream, lines }: Expected, { ledgers, received }: Reconciliation): string[] {
  const { agent, edge, twin } = ledgers;
  const row = edge?.find((item) => item.stream === stream);
  const counts = twin?.by_stream[stream];
  return [
    ...(agent === null ? ["the agent does not answer"] : hopDifferences("agent", agent.ledger, lines.length)),
    ...(row === undefined ? [`the edge has no ledger of ${stream}`] : hopDifferences("edge", row, lines.length)),
    ...unequal("the edge's conflicts", row?.conflicts ?? 0, 0),
    ...unequal("the edge's gaps", row?.gaps.length ?? 0, 0),
    ...unequal("events with the twin", counts?.events ?? 0, lines.length),
    ...unequal("distinct events with the twin", counts?.distinct ?? 0, new Set(lines).size),
    ...textDifferences(lines, received),
  ];
}

function hopDifferences(name: string, ledger: HopLedger, events: number): string[] {
  return [
    ...unequal(`the ${name}'s accepted`, ledger.accepted, events),
    ...unequal(`the ${name}'s delivered`, ledger.delivered, events),
    ...unequal(`the ${name}'s pending`, ledger.pending, 0),
    ...unequal(`the ${name}'s quarantined`, ledger.quarantined, 0),
    ...unequal(`the ${name}'s discarded`, ledger.discarded, 0),
  ];
}

function unequal(what: string, found: number, expected: number): string[] {
  return found === expected ? [] : [`${what}: ${grouped(found)}, expected ${grouped(expected)}`];
}

/** Each text as often as it was fed, to the byte. */
function textDifferences(lines: readonly string[], received: readonly string[]): string[] {
  const balance = new Map<string, number>();
  for (const line of lines) balance.set(line, (balance.get(line) ?? 0) + 1);
  for (const text of received) balance.set(text, (balance.get(text) ?? 0) - 1);
  const missing = [...balance.values()].reduce((sum, count) => sum + Math.max(0, count), 0);
  const surplus = [...balance.values()].reduce((sum, count) => sum + Math.max(0, -count), 0);
  return [
    ...(missing === 0 ? [] : [`the twin lacks ${grouped(missing)} of the events, to the byte`]),
    ...(surplus === 0 ? [] : [`the twin has ${grouped(surplus)} events that were never fed, or once too often`]),
  ];
}

/** The three ledgers side by side. */
export function reconciliationLines(stream: string, { agent, edge, twin }: Ledgers): string[] {
  const row = edge?.find((item) => item.stream === stream);
  const counts = twin?.by_stream[stream];
  const hop = agent?.ledger;
  const cells = (name: string, ...values: (number | undefined)[]) => [
    name,
    ...values.map((value) => (value === undefined ? "-" : grouped(value))),
  ];
  const rows = [
    ["", "agent", "edge", "twin"],
    cells("accepted", hop?.accepted, row?.accepted, counts?.events),
    cells("delivered", hop?.delivered, row?.delivered, undefined),
    cells("pending", hop?.pending, row?.pending, undefined),
    cells("quarantined", hop?.quarantined, row?.quarantined, undefined),
    cells("gaps in the positions", undefined, row?.gaps.length, undefined),
    cells("repeats folded", undefined, row?.duplicates, undefined),
    cells("distinct by their text", undefined, undefined, counts?.distinct),
  ];
  return tableLines(rows);
}
