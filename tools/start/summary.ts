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
  /** What the edge had delivered before this twin, whose memory begins with it, was started. */
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
    ["twin", ledgers.twin === null ? "-" : grouped(ledgers.twin.events), "", "", "", grouped(rates.twin)],
  ]);
  return ["", colors.dim(head), ...rows, "", sampleLine(snapshot), agreement(snapshot, colors)];
}

/** For a log: everything in one line. */
export function summaryLine({ ledgers, fed, total }: Snapshot): string {
  const hop = (name: string, ledger: HopLedger | null) =>
    ledger === null
      ? `${name} does not answer`
      : `${name} accepted ${ledger.accepted} pending ${ledger.pending} delivered ${ledger.delivered} quarantined ${ledger.quarantined}`;
  const twin = ledgers.twin === null ? "twin does not answer" : `twin received ${ledgers.twin.events}`;
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

/** Nothing under way and every delivered event with the twin; otherwise how many are still on their way. */
function agreement({ ledgers, deliveredBefore }: Snapshot, colors: Colors): string {
  const { agent, edge, twin } = ledgers;
  if (agent === null || edge === null || twin === null) return colors.yellow("a part does not answer");
  const sums = sumOf(edge);
  const underWay = agent.ledger.pending + sums.pending;
  if (underWay > 0) return colors.yellow(`${grouped(underWay)} on their way`);
  const received = sums.delivered - deliveredBefore;
  if (received !== twin.events) {
    return colors.yellow(`the edge has delivered ${grouped(received)}, the twin has ${grouped(twin.events)}`);
  }
  return colors.green(`in step: each delivered event is with the twin, none is on its way`);
}
