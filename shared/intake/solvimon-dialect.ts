/** Solvimon's ingest operations: one event answered with its resource, or a list answered by counts. */
import { SOLVIMON, type SolvimonKind } from "../events/kind.ts";
import { READ_ONLY } from "../events/solvimon-fields.ts";
import { type Fields, kindOf } from "../json/span.ts";
import { countsAnswer, refusalAnswer } from "./answers.ts";
import type { Accepted, Answerable, ConflictCause, Dialect, IngestAnswer } from "./dialect.ts";
import {
  quarantineError,
  resourceText,
  type SolvimonReason,
  solvimonErrors,
  solvimonRefusal,
} from "./solvimon-answer.ts";
import { readSolvimonEvent, readSolvimonList } from "./solvimon-body.ts";

export type SolvimonForm = "single" | "list";

/** One of the ingest operations. */
export function solvimonDialect(kind: SolvimonKind, form: SolvimonForm): Dialect<SolvimonReason> {
  const isSingle = form === "single";
  const readEvents = isSingle ? readSolvimonEvent : readSolvimonList;
  return {
    kind,
    stream: kind,
    unknown: `there is no stream ${kind}`,
    forms: ["json"],
    isSingle,
    readsTrackId: false,
    readOnly: READ_ONLY[kind],
    carriesTime,
    read: (bytes, _form, check, limits, keep) => readEvents(bytes, kind, limits, keep, check),
    conflict: (cause, index) => ({ ...conflictReason(kind, cause), index }),
    listed: quarantineError,
    answer: (outcome) => answer(kind, isSingle, outcome),
  };
}

function carriesTime(event: Fields): boolean {
  return (kindOf(event, "timestamp") ?? "null") !== "null";
}

/** Why an event was not accepted, in Solvimon's words. */
function conflictReason(kind: SolvimonKind, cause: ConflictCause): SolvimonReason {
  switch (cause) {
    case "closed":
      return {
        code: "INVALID_OPERATION",
        message: "the reprocessing group was closed by its last item",
        field: "reprocess_id",
      };
    case "key":
      return { code: "IDEMPOTENCY_CHECK_FAILED", message: "the Idempotency-Key was used before with another body" };
    case "id":
      return {
        code: "RESOURCE_ALREADY_EXISTS",
        message: `${SOLVIMON[kind].objectType} with this reference exists with other content`,
        field: "reference",
      };
    case "position":
    case "content":
      return {
        code: "RESOURCE_ALREADY_EXISTS",
        message: "the position was taken before by an event with other content, or for other ids",
      };
  }
}

function answer(kind: SolvimonKind, isSingle: boolean, outcome: Answerable<SolvimonReason>): IngestAnswer {
  switch (outcome.kind) {
    case "refused":
      return refusalAnswer(outcome.cause, (status) => solvimonRefusal(status, outcome.message));
    case "bad-headers": {
      const reasons = outcome.errors.map(({ message, field }): SolvimonReason => {
        return { code: "INVALID_FIELD", message, ...(field === undefined ? {} : { field }) };
      });
      return errorsAnswer(400, reasons, isSingle);
    }
    case "malformed":
      return errorsAnswer(400, [outcome.reason], isSingle);
    case "rejected":
      return outcome.errors.length > 0
        ? errorsAnswer(400, outcome.errors, isSingle)
        : conflictAnswer(kind, isSingle, outcome.conflicts);
    case "accepted":
      return isSingle ? resourceAnswer(kind, outcome) : countsAnswer(outcome);
  }
}

/** The index of a single event would say nothing. */
function errorsAnswer(status: number, reasons: readonly SolvimonReason[], isSingle: boolean) {
  const [first, ...others] = isSingle ? reasons.map(({ index: _, ...reason }) => reason) : reasons;
  if (first === undefined) throw new RangeError("a refusal without a reason");
  return { status, headers: {}, body: solvimonErrors([first, ...others]) };
}

function conflictAnswer(
  kind: SolvimonKind,
  isSingle: boolean,
  conflicts: readonly { readonly reason: SolvimonReason; readonly id: string }[],
): IngestAnswer {
  const [first] = conflicts;
  const reasons = conflicts.map(({ reason }) => reason);
  const { status, headers, body } = errorsAnswer(409, reasons, isSingle);
  const isNamed = isSingle && first?.reason.code === "RESOURCE_ALREADY_EXISTS";
  const resource = isNamed ? { resource_id: first.id, resource_type: SOLVIMON[kind].objectType } : {};
  return { status, headers, body: { ...body, ...resource } };
}

/** 201 with the resource; a repeat gets the original, as it was answered the first time. */
function resourceAnswer(kind: SolvimonKind, { resource }: Accepted): IngestAnswer {
  if (resource === null) throw new RangeError("a request without an event was accepted");
  return {
    status: 201,
    headers: resource.isReplay ? { "idempotent-replayed": "true" } : {},
    body: resourceText(kind, resource.id, resource.source, resource.receivedAt),
  };
}
