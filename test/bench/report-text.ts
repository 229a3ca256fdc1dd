/** What was measured, for a terminal. */
import { grouped, tableLines } from "../../tools/terminal/text-table.ts";
import { cells, figure, range } from "./figures.ts";
import { fluentBitLines } from "./fluent-bit.ts";
import type { Measured } from "./measure.ts";
import { ROWS } from "./rows.ts";

const HEAD = [
  ...["", "events/s", "p50 ms", "p99 ms", "CPU µs", "MB"],
  ...["floor: /s", "p50 ms", "p99 ms", "CPU µs", "MB"],
  ...["of floor's", "all rounds", "CPU, floors", "load CPU µs"],
];

export function reportLines(all: readonly Measured[]): string[] {
  const rows = all.map((row) => [
    row.name,
    ...cells(row.weir),
    ...cells(row.floor),
    figure(row.ratio.median),
    range(row.ratio),
    figure(row.cpuRatio.median),
    figure(row.weir.loadMicrosPerEvent),
  ]);
  return [
    ...tableLines([HEAD, ...rows]),
    "",
    "Of floor's: events/s, or a time, divided by the floor's in the same round. CPU is of whole processes, an event.",
    ...all.map(noteOf),
    ...fluentBitLines(all),
  ];
}

function noteOf({ name, also }: Measured): string {
  const row = ROWS.find((one) => one.name === name);
  const compared = row === undefined || row.compared === "eventsPerSecond" ? "" : ` (${row.compared.slice(0, 3)})`;
  const more = Object.entries(also).map(([what, value]) => `; ${what} ${grouped(value)}`);
  return `${name}: ${row?.title}; beside ${row?.floorIs}${compared}${more.join("")}`;
}
