/** Reads the ledgers again and again and shows them: in place on a terminal, as lines anywhere else. */
import { setTimeout as sleep } from "node:timers/promises";
import { createColors } from "picocolors";
import { type LedgerAddresses, type Ledgers, readLedgers, sumOf } from "../reconcile/ledgers.ts";
import { Repaint } from "../terminal/repaint.ts";
import { Rate } from "./rate.ts";
import { type Snapshot, summaryLine, summaryLines } from "./summary.ts";

const TERMINAL_EVERY_MS = 500;
const LINES_EVERY_MS = 3_000;

export interface LiveSummaryOptions {
  readonly urls: LedgerAddresses;
  readonly output: NodeJS.WriteStream;
  /** Of the sample. */
  readonly fed: () => number;
  readonly total: number;
  readonly deliveredBefore: number;
  readonly signal: AbortSignal;
}

/** Shows until the signal aborts. */
export async function showLiveSummary(options: LiveSummaryOptions): Promise<void> {
  const { urls, output, signal } = options;
  const show = output.isTTY ? terminalDisplay(output) : lineDisplay(output);
  const rates = { agent: new Rate(), edge: new Rate(), twin: new Rate() };
  while (!signal.aborted) {
    // Before the ledgers: what was fed by now is what they have at least.
    const fed = options.fed();
    const ledgers = await readLedgers(urls);
    if (signal.aborted) return;
    sampleRates(rates, ledgers);
    show({
      ledgers,
      rates: { agent: rates.agent.perSecond(), edge: rates.edge.perSecond(), twin: rates.twin.perSecond() },
      fed,
      total: options.total,
      deliveredBefore: options.deliveredBefore,
    });
    const everyMs = output.isTTY ? TERMINAL_EVERY_MS : LINES_EVERY_MS;
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
  }
}

function sampleRates(rates: Record<"agent" | "edge" | "twin", Rate>, { agent, edge, twin }: Ledgers): void {
  const nowMs = performance.now();
  if (agent !== null) rates.agent.sample(agent.ledger.accepted, nowMs);
  if (edge !== null) rates.edge.sample(sumOf(edge).accepted, nowMs);
  if (twin !== null) rates.twin.sample(twin.events, nowMs);
}

function terminalDisplay(output: NodeJS.WriteStream): (snapshot: Snapshot) => void {
  const repaint = new Repaint(output);
  const colors = createColors(output.hasColors() && !process.env["NO_COLOR"]);
  return (snapshot) => repaint.draw(summaryLines(snapshot, colors));
}

/** A line only where something changed, so that an idle log stays short. */
function lineDisplay(output: NodeJS.WriteStream): (snapshot: Snapshot) => void {
  let last = "";
  return (snapshot) => {
    const line = summaryLine(snapshot);
    if (line !== last) output.write(`${line}\n`);
    last = line;
  };
}
