/** Figures as text, for the terminal and the document. */
import { grouped } from "../../tools/terminal/text-table.ts";
import type { Ratio, Sample } from "./measure.ts";

export function cells({ eventsPerSecond, p50Ms, p99Ms, cpuMicrosPerEvent, peakMb }: Sample): string[] {
  return [grouped(Math.round(eventsPerSecond)), ...[p50Ms, p99Ms, cpuMicrosPerEvent].map(figure), String(peakMb)];
}

export function range({ lowest, highest }: Ratio): string {
  return `${figure(lowest)}–${figure(highest)}`;
}

/** With as many digits as mean something. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (value >= 100) return grouped(Math.round(value));
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
