import { readdirSync, readFileSync } from "node:fs";

/** Memory of an edge's workerd in MiB, by /proc: the largest of the edge's process group; 0 where none runs. */
export function workerdMiB(edgePid: number): number {
  const sizes = readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      const group = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[2]);
      const isWorkerd = readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("workerd");
      const rss = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
      return group === edgePid && isWorkerd ? [Number(rss) / 1024] : [];
    } catch {
      // The process ended between the list and the look.
      return [];
    }
  });
  return Math.max(0, ...sizes);
}
