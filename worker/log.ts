/** The Worker's log: one JSON object a line. */
import type { RefusalLine } from "../shared/intake/refusal-log.ts";

/**
 * Logs a failure by the texts of its causes. A query's own error repeats its parameters, which may hold event
 * data, so of an error with a cause only the cause is told.
 */
export function logFailure(message: string, error: unknown, context: Record<string, unknown> = {}): void {
  let root = error;
  for (let depth = 0; depth < 8 && root instanceof Error && root.cause !== undefined; depth++) root = root.cause;
  console.error(JSON.stringify({ level: "error", message, cause: String(root), ...context }));
}

/** Tells of events that were not accepted as they were sent: how many, of which stream and the first reason. */
export function logRefused(line: RefusalLine): void {
  console.warn(JSON.stringify({ level: "warn", message: "events were refused", ...line }));
}

export function logWarning(message: string, error: unknown, context: Record<string, unknown> = {}): void {
  console.warn(JSON.stringify({ level: "warn", message, cause: String(error), ...context }));
}

/** A line that is no failure of ours. */
export function logLine(level: "info" | "warn", message: string, context: Record<string, unknown>): void {
  const line = JSON.stringify({ level, message, ...context });
  if (level === "warn") console.warn(line);
  else console.info(line);
}
