/** Which pending streams a destination does not accept. */
import type { Log } from "../buffer/log.ts";
import type { Dialect } from "./dialect.ts";

/** The first such stream's reason, null where there is none, and whether all that is pending is of that sort. */
export function undelivered(dialect: Dialect, log: Log): { readonly why: string | null; readonly isAll: boolean } {
  let why: string | null = null;
  let isAll = true;
  for (const { stream, pending } of log.streams()) {
    if (pending === 0) continue;
    const mode = dialect.deliveryMode(stream);
    if (mode.kind === "none") why ??= mode.why;
    else isAll = false;
  }
  return { why, isAll };
}
