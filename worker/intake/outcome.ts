/** What the ledger made of a request's events, as the outcome that a dialect answers. */
import { conflictResult } from "../../shared/intake/answers.ts";
import type { Accepted, ConflictCause, Conflicting, Dialect, Reason, Resource } from "../../shared/intake/dialect.ts";
import type { Preferences } from "../../shared/intake/headers.ts";
import type { EventResult } from "../../shared/intake/usage-answer.ts";
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
    results: events.map((event, i) => resultOf(dialect, event, fates[i])),
    preferences,
    resource,
  };
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
