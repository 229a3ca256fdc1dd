/** What a log says of events that it knew, as a list. */
import { type KnownEvent, knownIn } from "../../../agent/buffer/tables/known-events.ts";
import type { Outcome } from "../../../agent/buffer/transactions/operations.ts";

/** Of an outcome of `append`; of others it is empty. */
export function knownOf(outcome: Outcome | undefined): (KnownEvent | undefined)[] {
  if (typeof outcome !== "object" || outcome === null || !("known" in outcome)) return [];
  const known = knownIn(outcome.known);
  return Array.from({ length: known.length }, (_, place) => known.at(place));
}
