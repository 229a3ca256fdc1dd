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
  const { isGood, text } = agreement(snapshot);
  const verdict = isGood ? colors.green(text) : colors.yellow(text);
  return ["", colors.dim(head), ...rows, ...earlier(snapshot), "", sampleLine(snapshot), verdict];
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
  const agent = hop("agent", ledgers.agent?.ledger ?? null);
  return `sample ${fed}/${total} | ${agent} | ${edge} | ${twin} | ${agreement(snapshot).text}`;
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
 * In step: nothing is on its way or held back, and each hop has what the one before it delivered, as the table shows it;
 * finished: besides, all of the sample has passed. Where the numbers differ it says how, whatever the reason; the reasons
 * it can know are named.
 */
function agreement(snapshot: Snapshot): { readonly isGood: boolean; readonly text: string } {
  const { fed, total, ledgers } = snapshot;
  const { agent, edge, twin } = ledgers;
  if (agent === null || edge === null || twin === null) return { isGood: false, text: "a part does not answer" };
  const sums = sumOf(edge);
  const underWay = agent.ledger.pending + sums.pending;
  if (fed < total || underWay > 0) return { isGood: false, text: `flowing: ${grouped(underWay)} on their way` };
  const differing = [
    ...(agent.ledger.accepted >= fed
      ? []
      : difference("fed were", fed, "the agent has accepted", agent.ledger.accepted, FED_ELSEWHERE)),
    ...heldBack("agent", agent.ledger),
    ...difference("the agent has delivered", agent.ledger.delivered, "the edge has accepted", sums.accepted, {
      more: "repeats that the edge folded, or events of another edge",
      less: "events that came to the edge by another way than this agent",
    }),
    ...heldBack("edge", sums),
    ...difference("the edge has delivered", sums.delivered, "the twin has", receivedOf(snapshot), {
      more: "events that this twin does not have",
      less: "events of another tenant, or sent straight to the twin",
    }),
  ];
  if (differing.length > 0) return { isGood: false, text: `none on its way; ${differing.join("; ")}` };
  return { isGood: true, text: "finished and in step: each accepted event is with the twin, none is on its way" };
}

const FED_ELSEWHERE = { more: "to a buffer that is gone; `npm start -- --fresh` begins anew", less: "" };

/** What a hop accepted and will not deliver by itself. */
function heldBack(name: string, { quarantined, discarded }: HopLedger): string[] {
  return [
    ...(quarantined === 0 ? [] : [`the ${name} holds ${grouped(quarantined)} in quarantine`]),
    ...(discarded === 0 ? [] : [`${grouped(discarded)} were discarded at the ${name}`]),
  ];
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
