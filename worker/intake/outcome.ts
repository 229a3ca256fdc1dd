/** What the ledger made of a request's events, as the outcome that a dialect answers. */
import { conflictResult } from "../../shared/intake/answers.ts";
import type { Accepted, ConflictCause, Conflicting, Dialect, Reason, Resource } from "../../shared/intake/dialect.ts";
import type { Preferences } from "../../shared/intake/headers.ts";
import type { EventCounts, EventResult, EventResults } from "../../shared/intake/usage-answer.ts";
import type { Fate, IncomingEvent } from "../ledger/plan.ts";

/** The events of a strict request that stand in its way. */
export function conflictsOf<R extends Reason>(
  dialect: Dialect<R>,
  events: readonly IncomingEvent[],
  fates: readonly Fate[],
): Conflicting<R>[] {
  return events.flatMap((event, i) => {
    const fate = fates[i];
    if (fate !== "conflict" && fate !== "closed") return [];
    return [{ reason: dialect.conflict(causeOf(event, fate), event.index), id: event.id }];
  });
}

export function acceptedOf<R extends Reason>(
  dialect: Dialect<R>,
  events: readonly IncomingEvent[],
  fates: readonly Fate[],
  preferences: Preferences,
  resource: Resource | null,
): Accepted {
  return {
    kind: "accepted",
    results: resultsOf(dialect, events, fates),
    preferences,
    resource,
  };
}

/** Each made when it is looked at: an id takes longer than all else that is done to an event at a position. */
function resultsOf<R extends Reason>(
  dialect: Dialect<R>,
  events: readonly IncomingEvent[],
  fates: readonly Fate[],
): EventResults {
  return {
    length: events.length,
    counts: countsOf(fates),
    *[Symbol.iterator]() {
      for (const [i, event] of events.entries()) yield resultOf(dialect, event, fates[i]);
    },
  };
}

function countsOf(fates: readonly Fate[]): EventCounts {
  const counts = { accepted: 0, duplicate: 0, conflict: 0, quarantined: 0 };
  for (const fate of fates) counts[fate === "closed" ? "conflict" : fate]++;
  return counts;
}

function resultOf<R extends Reason>(dialect: Dialect<R>, event: IncomingEvent, fate: Fate | undefined): EventResult {
  const { index, id } = event;
  if (fate === undefined) throw new RangeError("an event was filed without a fate");
  if (fate === "quarantined") return { index, status: fate, id, reasons: event.reasons };
  if (fate !== "conflict" && fate !== "closed") return { index, status: fate, id };
  return conflictResult(dialect, causeOf(event, fate), index, id);
}

function causeOf({ identity }: IncomingEvent, fate: "conflict" | "closed"): ConflictCause {
  if (fate === "closed") return "closed";
  if (identity === "new") throw new RangeError("an event that is like no other conflicts with one");
  return identity;
}
