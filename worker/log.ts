/** The Worker's log: one JSON object a line. */

/**
 * Logs a failure by the texts of its causes. A query's own error repeats its parameters, which may hold event
 * data, so of an error with a cause only the cause is told.
 */
export function logFailure(message: string, error: unknown, context: Record<string, unknown> = {}): void {
  let root = error;
  for (let depth = 0; depth < 8 && root instanceof Error && root.cause !== undefined; depth++) root = root.cause;
  console.error(JSON.stringify({ level: "error", message, cause: String(root), ...context }));
}

export function logWarning(message: string, error: unknown, context: Record<string, unknown> = {}): void {
  console.warn(JSON.stringify({ level: "warn", message, cause: String(error), ...context }));
}
