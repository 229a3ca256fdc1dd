/** What of an ingest request was not accepted as it was sent, counted for those who run this; never an event's content. */
import type { Answerable, Reason } from "./dialect.ts";
import type { EventResult, EventResults } from "./usage-answer.ts";

export interface RefusedEvents {
  /** Events turned away, their whole body with them; 0 where nobody came to counting them. */
  readonly refused: number;
  readonly conflicts: number;
  readonly quarantined: number;
  readonly first: FirstReason;
}

/** The first of possibly many. */
export interface FirstReason {
  /** What it was, in words of ours: of an event it says at most the name of a field. */
  readonly why: string;
  readonly code?: number | string;
  readonly field?: string;
}

/** A reason of either API. */
interface CodedReason extends Reason {
  readonly code?: number | string;
}

/** Characters of a text that a sender may have chosen. */
const TEXT_MAX = 200;
/** What a message quotes, or shows of a text that is no JSON, is the sender's own. */
const QUOTED = /"(?:[^"\\]|\\.)*"|(?<=unexpected ).+(?=, expected)/gu;

/** @returns null where every event was accepted, or known as it was. */
export function refusedIn<R extends CodedReason>(outcome: Answerable<R>): RefusedEvents | null {
  switch (outcome.kind) {
    case "refused":
      return { ...NONE, first: { why: outcome.cause } };
    case "bad-headers":
      return { ...NONE, first: reasonOf("a header is not valid", outcome.errors[0]) };
    case "malformed":
      return { ...NONE, first: reasonOf("not JSON", outcome.reason) };
    case "rejected": {
      const conflict = outcome.conflicts[0]?.reason;
      const first = outcome.errors[0] ?? conflict;
      const conflicts = outcome.conflicts.length;
      return { ...NONE, refused: outcome.total - conflicts, conflicts, first: reasonOf("not valid", first) };
    }
    case "accepted":
      return refusedAmong(outcome.results);
  }
}

const NONE = { refused: 0, conflicts: 0, quarantined: 0 };

function refusedAmong(results: EventResults): RefusedEvents | null {
  if (results.counts?.conflict === 0 && results.counts.quarantined === 0) return null;
  const counts = { conflict: 0, quarantined: 0 };
  let first: EventResult | null = null;
  for (const result of results) {
    if (result.status !== "conflict" && result.status !== "quarantined") continue;
    counts[result.status]++;
    first ??= result;
  }
  if (first === null) return null;
  const reason = reasonOf(first.status, first.reasons?.[0]);
  return { refused: 0, conflicts: counts.conflict, quarantined: counts.quarantined, first: reason };
}

/** A reason as the log may have it. @param kind says why where there is no reason. */
export function reasonOf(kind: string, reason: CodedReason | undefined): FirstReason {
  if (reason === undefined) return { why: kind };
  const { message, code, field } = reason;
  return {
    why: message.replace(QUOTED, "…").slice(0, TEXT_MAX),
    ...(code === undefined ? {} : { code }),
    ...(field === undefined ? {} : { field: field.slice(0, TEXT_MAX) }),
  };
}
