/** Which pending streams a destination has no door for. */
import type { Log } from "../buffer/log.ts";
import type { Dialect } from "./dialect.ts";

/** The first such stream's reason, null where there is none, and whether all that is pending is of that sort. */
export function untaken(dialect: Dialect, log: Log): { readonly why: string | null; readonly isAll: boolean } {
  let why: string | null = null;
  let isAll = true;
  for (const { stream, pending } of log.streams()) {
    if (pending === 0) continue;
    const way = dialect.way(stream);
    if (way.kind === "none") why ??= way.why;
    else isAll = false;
  }
  return { why, isAll };
}
