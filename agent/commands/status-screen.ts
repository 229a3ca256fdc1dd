/** The status as people read it. Pure. */
import pc from "picocolors";
import type { StatusDocument } from "../status.ts";

/** Events a second since the last look. */
export interface Rate {
  readonly accepted: number;
  readonly delivered: number;
}

const BAR_CELLS = 30;

/** @param colors only where a terminal shows it. */
export function statusScreen(status: StatusDocument, rate: Rate | null, colors: boolean): string {
  const { bold, dim, green, yellow, red } = pc.createColors(colors);
  const { ledger, buffer, destination } = status;
  const number = (value: number) => value.toLocaleString("en-US");
  const state = destination.state ?? "not running";
  const paint = state === "ok" ? green : state === "paused" ? red : yellow;
  const share = buffer.max_bytes === 0 ? 0 : Math.min(1, buffer.bytes / buffer.max_bytes);
  const filled = Math.round(share * BAR_CELLS);
  const perSecond = (value: number | undefined) => (value === undefined ? "" : dim(`  ${number(Math.round(value))}/s`));
  const row = (name: string, text: string) => `  ${name.padEnd(13)}${text}\n`;
  const left = buffer.hours_left === null ? "" : `, full in ${buffer.hours_left} h at this rate`;
  const next = destination.next_attempt_s === null ? "" : `, next attempt in ${destination.next_attempt_s} s`;
  const error = destination.last_error === null ? "" : `: ${destination.last_error}`;
  return [
    `${bold("weir-agent")} ${status.producer ?? "(no buffer yet)"} ${status.running ? "" : yellow("not running")}\n\n`,
    row("accepted", `${number(ledger.accepted).padStart(15)}${perSecond(rate?.accepted)}`),
    row("delivered", `${number(ledger.delivered).padStart(15)}${perSecond(rate?.delivered)}`),
    row(
      "pending",
      number(ledger.pending).padStart(15) + (buffer.oldest_s === null ? "" : dim(`  oldest ${buffer.oldest_s} s`)),
    ),
    row("quarantined", (ledger.quarantined > 0 ? yellow : String)(number(ledger.quarantined).padStart(15))),
    row("discarded", number(ledger.discarded).padStart(15)),
    "\n",
    row(
      "buffer",
      `${"█".repeat(filled)}${dim("░".repeat(BAR_CELLS - filled))} ${sizeText(buffer.bytes)} of ${sizeText(buffer.max_bytes)}${left}`,
    ),
    row("destination", `${paint(state)}${error}${next}`),
    ...(status.streams.length === 0 ? [] : ["\n"]),
    ...status.streams
      .slice(0, STREAMS_SHOWN_MAX)
      .map(({ stream, ledger: own }) =>
        row(
          "",
          `${stream}  ${number(own.delivered)} of ${number(own.accepted)} delivered${own.quarantined > 0 ? yellow(`, ${number(own.quarantined)} in quarantine`) : ""}`,
        ),
      ),
  ].join("");
}

const STREAMS_SHOWN_MAX = 15;

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
