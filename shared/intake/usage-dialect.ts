/** Zuora's streaming ingestion: bodies of usage events, answered by counts. */
import { usageStream } from "../events/kind.ts";
import { CONFLICT_CODE, type ValidationError } from "../events/validation-error.ts";
import { countsAnswer, refusalAnswer } from "./answers.ts";
import type { Answerable, ConflictCause, Dialect, IngestAnswer } from "./dialect.ts";
import { type UsageRefusal, usageRefusal, validationRefusal } from "./usage-answer.ts";
import { readUsageBody } from "./usage-body.ts";

const NO_FIELDS: ReadonlySet<string> = new Set();

/** Ingestion into one meter's stream. */
export function usageDialect(meterGlobalId: string): Dialect<ValidationError> {
  return {
    kind: "usage",
    stream: usageStream(meterGlobalId),
    unknown: `there is no meter ${JSON.stringify(meterGlobalId)}`,
    forms: ["json", "ndjson"],
    isSingle: false,
    readsTrackId: true,
    readOnly: NO_FIELDS,
    carriesTime: () => true,
    read: readUsageBody,
    conflict: (cause, index) => ({ code: CONFLICT_CODE, message: CONFLICT[cause], index }),
    listed: (reason) => reason,
    answer,
  };
}

const CONFLICT: Readonly<Record<ConflictCause, string>> = {
  key: "the Idempotency-Key brought other content for this event before",
  position: "its position was taken before by an event with other content, or for other ids",
  id: "its identity was taken before by an event with other content",
  content: "its identity was taken before by an event with other content",
  // A usage stream has no reprocessing groups; what the ledger does not file there is a conflict.
  closed: "its identity was taken before by an event with other content",
};

function answer(outcome: Answerable<ValidationError>): IngestAnswer {
  switch (outcome.kind) {
    case "refused":
      return refusalAnswer(outcome.cause, () => usageRefusal(outcome.message));
    case "bad-headers":
      return badRequest(usageRefusal(outcome.message, outcome.errors));
    case "malformed":
      return badRequest(usageRefusal(outcome.reason.message, [outcome.reason]));
    case "rejected":
      return badRequest(rejection(outcome));
    case "accepted":
      return countsAnswer(outcome);
  }
}

function rejection({
  errors,
  invalid,
  conflicts,
  total,
}: Answerable<ValidationError> & { kind: "rejected" }): UsageRefusal {
  const reasons = conflicts.map(({ reason }) => reason);
  if (errors.length > 0) {
    const all = [...errors, ...reasons].sort((a, b) => (a.index ?? 0) - (b.index ?? 0));
    return validationRefusal(all, total, invalid === undefined ? undefined : invalid + conflicts.length);
  }
  return usageRefusal(`${reasons.length} events conflict with ones accepted before; nothing was stored`, reasons);
}

function badRequest(body: object): IngestAnswer {
  return { status: 400, headers: {}, body };
}
