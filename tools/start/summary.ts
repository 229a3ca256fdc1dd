/** What `npm start` shows of the three ledgers. Pure: a snapshot in, lines out. */
import type { Colors } from "picocolors/types";
import { type HopLedger, type Ledgers, sumOf } from "../reconcile/ledgers.ts";
import { grouped, tableLines } from "../terminal/text-table.ts";

export interface Snapshot {
  readonly ledgers: Ledgers;
  /** Events a second, each hop's own. */
  readonly rates: { readonly agent: number; readonly edge: number; readonly twin: number };
  /** Of the sample: lines fed, lines in all. */
  readonly fed: number;
  readonly total: number;
  /** What the edge had delivered before this twin, whose memory begins with it, was started: a twin before it has that. */
  readonly deliveredBefore: number;
}

const BAR_WIDTH = 30;

/** For a terminal: a table, the sample's progress, and whether the ledgers agree. */
export function summaryLines(snapshot: Snapshot, colors: Colors): string[] {
  const { ledgers, rates } = snapshot;
  const [head = "", ...rows] = tableLines([
    ["", "accepted", "pending", "delivered", "quarantined", "events/s"],
    hopRow("agent", ledgers.agent?.ledger ?? null, rates.agent),
    hopRow("edge", ledgers.edge === null ? null : sumOf(ledgers.edge), rates.edge),
    ["twin", ledgers.twin === null ? "-" : grouped(receivedOf(snapshot)), "", "", "", grouped(rates.twin)],
  ]);
  return ["", colors.dim(head), ...rows, ...earlier(snapshot), "", sampleLine(snapshot), agreement(snapshot, colors)];
}

/** For a log: everything in one line. */
export function summaryLine(snapshot: Snapshot): string {
  const { ledgers, fed, total } = snapshot;
  const hop = (name: string, ledger: HopLedger | null) =>
    ledger === null
      ? `${name} does not answer`
      : `${name} accepted ${ledger.accepted} pending ${ledger.pending} delivered ${ledger.delivered} quarantined ${ledger.quarantined}`;
  const twin = ledgers.twin === null ? "twin does not answer" : `twin received ${receivedOf(snapshot)}`;
  const edge = hop("edge", ledgers.edge === null ? null : sumOf(ledgers.edge));
  return `sample ${fed}/${total} | ${hop("agent", ledgers.agent?.ledger ?? null)} | ${edge} | ${twin}`;
}

function hopRow(name: string, ledger: HopLedger | null, rate: number): string[] {
  if (ledger === null) return [name, "-", "-", "-", "-", ""];
  const { accepted, pending, delivered, quarantined } = ledger;
  return [name, ...[accepted, pending, delivered, quarantined, rate].map(grouped)];
}

function sampleLine({ fed, total }: Snapshot): string {
  const filled = Math.floor((fed / total) * BAR_WIDTH);
  const bar = "█".repeat(filled) + "░".repeat(BAR_WIDTH - filled);
  return `real events  ${bar}  ${grouped(fed)} of ${grouped(total)} fed`;
}

/** What twins received, this one and those before it. */
function receivedOf({ ledgers, deliveredBefore }: Snapshot): number {
  return deliveredBefore + (ledgers.twin?.events ?? 0);
}

function earlier({ deliveredBefore }: Snapshot): string[] {
  return deliveredBefore === 0 ? [] : [`of these, ${grouped(deliveredBefore)} went to the twin in earlier runs`];
}

/**
 * In step: nothing is on its way, and each hop has what the one before it delivered, as the table shows it. Where the
 * numbers differ it says how, whatever the reason; the reasons it can know are named.
 */
function agreement(snapshot: Snapshot, colors: Colors): string {
  const { agent, edge, twin } = snapshot.ledgers;
  if (agent === null || edge === null || twin === null) return colors.yellow("a part does not answer");
  const sums = sumOf(edge);
  const underWay = agent.ledger.pending + sums.pending;
  if (underWay > 0) return colors.yellow(`${grouped(underWay)} on their way`);
  const differing = [
    ...difference("the agent has delivered", agent.ledger.delivered, "the edge has accepted", sums.accepted, {
      more: "repeats that the edge folded, or events of another edge",
      less: "events that came to the edge by another way than this agent",
    }),
    ...difference("the edge has delivered", sums.delivered, "the twin has", receivedOf(snapshot), {
      more: "events that this twin does not have",
      less: "events of another tenant, or sent straight to the twin",
    }),
  ];
  if (differing.length > 0) return colors.yellow(`none on its way; ${differing.join("; ")}`);
  return colors.green("in step: each delivered event is with the twin, none is on its way");
}

/** @param why what a difference is made of: where the first number is the greater one, and where it is the smaller. */
function difference(
  first: string,
  a: number,
  second: string,
  b: number,
  why: { readonly more: string; readonly less: string },
): string[] {
  if (a === b) return [];
  return [`${first} ${grouped(a)}, ${second} ${grouped(b)} (${a > b ? why.more : why.less})`];
}
