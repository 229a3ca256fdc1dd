/** A measure as ADD_FACTS stores it. */
import { instantOf } from "../pricing/instant.ts";
import type { Measure } from "../usage/measure.ts";

/**
 * @param reportedAt when an agent on the way first received the event, if it says so.
 * @param receivedAt when Weir did: the moment of an event that names none.
 */
export function factJson(entry: number, measure: Measure, reportedAt: string | null, receivedAt: number): unknown[] {
  const { subject, atMs, context, quantities } = measure;
  return [entry, subject, atMs ?? instantOf(reportedAt ?? "") ?? receivedAt, context, quantities];
}
