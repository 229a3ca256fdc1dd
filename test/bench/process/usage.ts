/** What whole processes take, by /proc: of a process group, so that what a process starts counts with it. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

/** Of USER_HZ, which Linux fixed at 100 for all that asks through /proc. */
const TICK_MICROS = 10_000;
const FIELD = { group: 2, userTicks: 11, systemTicks: 12 } as const;

interface ProcessStat {
  readonly pid: number;
  readonly group: number;
  readonly cpuMicros: number;
}

/** CPU of the living processes of these groups, in µs; steps of 10 ms. */
export function cpuMicrosOf(groups: readonly number[]): number {
  return sum(members(groups).map((member) => member.cpuMicros));
}

/** The most that was resident since the last {@link resetPeaks}, in MB of 2^20 bytes, all processes of the groups together. */
export function peakMbOf(groups: readonly number[]): number {
  const kilobytes = members(groups).map(({ pid }) => {
    const status = readOrNull(`/proc/${pid}/status`) ?? "";
    return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0);
  });
  return Math.round(sum(kilobytes) / 1024);
}

/** Lets the peaks begin anew with what is resident now. */
export function resetPeaks(groups: readonly number[]): void {
  for (const { pid } of members(groups)) {
    try {
      writeFileSync(`/proc/${pid}/clear_refs`, "5");
    } catch {
      // It ended, or this system has no such file: then the peak is that of its whole life.
    }
  }
}

function members(groups: readonly number[]): ProcessStat[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map(Number).flatMap((pid) => {
    const stat = readOrNull(`/proc/${pid}/stat`);
    if (stat === null) return [];
    const found = statOf(pid, stat);
    return groups.includes(found.group) ? [found] : [];
  });
}

/** @param stat a line of /proc/PID/stat, whose second field is a name with anything in it, in parentheses. */
export function statOf(pid: number, stat: string): ProcessStat {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[FIELD.userTicks]) + Number(fields[FIELD.systemTicks]);
  return { pid, group: Number(fields[FIELD.group]), cpuMicros: ticks * TICK_MICROS };
}

/** Null where the process ended since it was listed. */
function readOrNull(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
