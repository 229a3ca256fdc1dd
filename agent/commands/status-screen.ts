/** The status as people read it. Pure. */
import pc from "picocolors";
import type { StatusDocument } from "../operator/status.ts";

/** Events a second since the last look. */
export interface Rate {
  readonly accepted: number;
  readonly delivered: number;
}

const BAR_CELLS = 30;
const STREAMS_SHOWN_MAX = 15;
const NAME_CELLS_MIN = 13;
const COUNT_CELLS = 14;

/** @param colors only where a terminal shows it. */
export function statusScreen(status: StatusDocument, rate: Rate | null, colors: boolean): string {
  const { bold, dim, green, yellow, red } = pc.createColors(colors);
  const { ledger, buffer, destination } = status;
  const count = (value: number) => number(value).padStart(COUNT_CELLS);
  const row = (name: string, text: string) => `  ${name.padEnd(NAME_CELLS_MIN)}${text}\n`;
  const perSecond = (value: number | undefined) => (value === undefined ? "" : dim(`  ${number(Math.round(value))}/s`));

  const state = destination.state ?? "not running";
  const paint = state === "ok" ? green : state === "paused" ? red : yellow;
  const share = buffer.max_bytes === 0 ? 0 : Math.min(1, buffer.bytes / buffer.max_bytes);
  const filled = Math.round(share * BAR_CELLS);
  const bar = "█".repeat(filled) + dim("░".repeat(BAR_CELLS - filled));
  const left = buffer.hours_left === null ? "" : `, full in ${spanText(buffer.hours_left * 3600)} at this rate`;
  const error = destination.last_error === null ? "" : `: ${destination.last_error}`;
  const next = destination.next_attempt_s === null ? "" : `, next attempt in ${spanText(destination.next_attempt_s)}`;
  const oldest = buffer.oldest_s === null ? "" : dim(`  oldest ${spanText(buffer.oldest_s)}`);
  return [
    `${bold("weir-agent")} ${status.producer ?? "(no buffer yet)"} ${status.running ? "" : yellow("not running")}\n\n`,
    row("accepted", count(ledger.accepted) + perSecond(rate?.accepted)),
    row("delivered", count(ledger.delivered) + perSecond(rate?.delivered)),
    row("pending", count(ledger.pending) + oldest),
    row("quarantined", (ledger.quarantined > 0 ? yellow : String)(count(ledger.quarantined))),
    row("discarded", count(ledger.discarded)),
    "\n",
    row("buffer", `${bar} ${sizeText(buffer.bytes)} of ${sizeText(buffer.max_bytes)}${left}`),
    row("destination", `${paint(state)}${error}${next}`),
    ...streamLines(status.streams, dim, yellow),
  ].join("");
}

type Paint = (text: string) => string;

/** A line a stream, those with most pending first. */
function streamLines(streams: StatusDocument["streams"], dim: Paint, yellow: Paint): string[] {
  if (streams.length === 0) return [];
  const shown = streams.toSorted((a, b) => b.ledger.pending - a.ledger.pending).slice(0, STREAMS_SHOWN_MAX);
  const nameCells = Math.max(NAME_CELLS_MIN, ...shown.map(({ stream }) => stream.length));
  const header = ["accepted", "delivered", "pending", "quarantined"].map((name) => name.padStart(COUNT_CELLS)).join("");
  const lines = shown.map(({ stream, ledger }) => {
    const counts = [ledger.accepted, ledger.delivered, ledger.pending].map((value) =>
      number(value).padStart(COUNT_CELLS),
    );
    const held = number(ledger.quarantined).padStart(COUNT_CELLS);
    return `  ${stream.padEnd(nameCells)}${counts.join("")}${ledger.quarantined > 0 ? yellow(held) : held}\n`;
  });
  const rest = streams.length - shown.length;
  return [
    `\n  ${dim(`${"stream".padEnd(nameCells)}${header}`)}\n`,
    ...lines,
    ...(rest === 0 ? [] : [dim(`  and ${number(rest)} more\n`)]),
  ];
}

function number(value: number): string {
  return value.toLocaleString("en-US");
}

/** A span of time by its two largest units: 0.4 s, 12 min, 3 h 20 min, 2 d 5 h. */
export function spanText(seconds: number): string {
  if (seconds < 60) return `${seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return withRest(hours, "h", minutes % 60, "min");
  return withRest(Math.floor(hours / 24), "d", hours % 24, "h");
}

function withRest(most: number, unit: string, rest: number, restUnit: string): string {
  return rest === 0 ? `${most} ${unit}` : `${most} ${unit} ${rest} ${restUnit}`;
}

function sizeText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
