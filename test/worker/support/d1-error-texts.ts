/** The errors that D1 documents, in its words (d1/observability/debug-d1, 2026), and those of its limits; what each is. */
import type { D1Failure } from "../../../worker/database/d1-errors.ts";

const LIST: Readonly<Record<Exclude<D1Failure, "unknown">, readonly string[]>> = {
  passing: [
    "D1_ERROR: D1 DB reset because its code was updated.",
    "D1_ERROR: Internal error while starting up D1 DB storage caused object to be reset.",
    "D1_ERROR: Network connection lost.",
    "D1_ERROR: Internal error in D1 DB storage caused object to be reset.",
    "D1_ERROR: Cannot resolve D1 DB due to transient issue on remote node.",
    "D1_ERROR: Can't read from request stream because client disconnected.",
  ],
  overloaded: [
    "D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset.",
    "D1_ERROR: D1 DB is overloaded. Requests queued for too long.",
    "D1_ERROR: D1 DB is overloaded. Too many requests queued.",
    "D1_ERROR: D1 DB's isolate exceeded its memory limit and was reset.",
    "D1_ERROR: D1 DB exceeded its CPU time limit and was reset.",
  ],
  full: ["D1_ERROR: Exceeded maximum DB size", "D1_ERROR: database or disk is full: SQLITE_FULL"],
  constraint: ["D1_ERROR: UNIQUE constraint failed: keys.key: SQLITE_CONSTRAINT"],
  never: [
    "D1_ERROR: string or blob too big: SQLITE_TOOBIG",
    "D1_ERROR: no such table: batches: SQLITE_ERROR",
    "D1_TYPE_ERROR: Type 'undefined' not supported for value 'undefined'",
    "Too many API requests by single Worker invocation.",
  ],
};

export const DOCUMENTED_ERRORS: readonly { readonly kind: D1Failure; readonly text: string }[] = Object.entries(
  LIST,
).flatMap(([kind, texts]) => texts.map((text) => ({ kind: kind as D1Failure, text })));
