/**
 * What an error of D1 says of the work that met it. D1 gives no codes, only texts; they are those of Cloudflare's "Debug
 * D1" (developers.cloudflare.com/d1/observability/debug-d1) and "Retry queries" (…/d1/best-practices/retry-queries), and
 * the one that its limits lead to (…/d1/platform/limits).
 */

export type D1Failure =
  /** It passes by itself: the work may be repeated after a pause. Whether it took effect is unknown. */
  | "passing"
  /** There is more work than D1 does, or this work is too much: to repeat it at once makes that worse. Its effect is unknown. */
  | "overloaded"
  /** The database has its full size: nothing that grows it works until rows are deleted. Nothing took effect. */
  | "full"
  /** A constraint or gate of ours: nothing took effect; what it is about must be read anew. */
  | "constraint"
  /** The statement or its values are refused: it never works as it is. Nothing took effect. */
  | "never"
  /** No text that D1 documents: its effect is unknown. */
  | "unknown";

/** In this order: the text of a timeout holds that of a reset. */
const TEXTS: readonly (readonly [D1Failure, RegExp])[] = [
  ["full", /exceeded maximum DB size|database or disk is full|SQLITE_FULL/i],
  ["overloaded", /D1 DB is overloaded|storage operation exceeded timeout/i],
  ["overloaded", /exceeded its (memory|CPU time) limit and was reset/i],
  ["passing", /reset because its code was updated|caused object to be reset|network connection lost/i],
  ["passing", /cannot resolve D1 DB due to transient issue|client disconnected|replica disconnected from primary/i],
  ["constraint", /SQLITE_CONSTRAINT|constraint failed/i],
  ["never", /SQLITE_|D1_TYPE_ERROR|D1_COLUMN_NOTFOUND|too many API requests by single Worker invocation/i],
];

/** Causes looked into: the query builder wraps what D1 throws. */
const CAUSES_MAX = 8;

export function d1FailureOf(error: unknown): D1Failure {
  for (let cause = error, depth = 0; cause instanceof Error && depth < CAUSES_MAX; cause = cause.cause, depth++) {
    const { message } = cause;
    const known = TEXTS.find(([, text]) => text.test(message));
    if (known !== undefined) return known[0];
  }
  return "unknown";
}
