/** What the answers of all dialects have in common. */
import { CONFLICT_CODE, type ValidationError } from "../events/validation-error.ts";
import { HEADER } from "../wire.ts";
import type { Accepted, ConflictCause, Dialect, IngestAnswer, Reason, RefusalCause } from "./dialect.ts";
import { REFUSAL } from "./dialect.ts";
import type { Preferences } from "./headers.ts";
import { type EventResult, usageAnswer } from "./usage-answer.ts";

/** The 200 of a body of events: how many came to what, and each one's result where that was asked for. */
export function countsAnswer({ results, preferences }: Accepted): IngestAnswer {
  return {
    status: 200,
    headers: preferencesApplied(preferences),
    body: usageAnswer(results, preferences.representation),
  };
}

/** The header that names the caller's preferences that were followed (RFC 7240, section 3). */
function preferencesApplied({ lenient, representation }: Preferences): Record<string, string> {
  const applied = [lenient ? "handling=lenient" : "", representation ? "return=representation" : ""];
  const text = applied.filter((preference) => preference !== "").join(", ");
  return text === "" ? {} : { [HEADER.preferenceApplied]: text };
}

/** An answer that refuses, with its status and, where another try makes sense, when. */
export function refusalAnswer(cause: RefusalCause, body: (status: number) => object): IngestAnswer {
  const { status, retryAfterS } = REFUSAL[cause];
  const headers: Record<string, string> = {
    ...(retryAfterS === undefined ? {} : { [HEADER.retryAfter]: String(retryAfterS) }),
    ...(status === 401 ? { [HEADER.wwwAuthenticate]: "Bearer" } : {}),
  };
  return { status, headers, body: body(status) };
}

/** The result of an event that was accepted before with other content, or whose group was closed. */
export function conflictResult<R extends Reason>(
  dialect: Dialect<R>,
  cause: ConflictCause,
  index: number,
  id: string,
): EventResult {
  const reason: ValidationError = { ...dialect.listed(dialect.conflict(cause, index), index), code: CONFLICT_CODE };
  return { index, status: "conflict", id, reasons: [reason] };
}
