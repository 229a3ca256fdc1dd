/** Solvimon's reprocessing groups, read from an event's text: the item that closes one goes out after all the others. */
import { reprocessGroup } from "../events/solvimon-fields.ts";
import { scanDocument } from "../json/document.ts";

export type ReprocessGroup = NonNullable<ReturnType<typeof reprocessGroup>>;

/**
 * The group of a persist event and whether the event closes it; null for an event without one.
 * @param source an event's text, however its members' names are written.
 */
export function reprocessGroupOf(source: string): ReprocessGroup | null {
  // Most persist events have none, and need no second scan to say so.
  if (!source.includes("reprocess_id") && !source.includes("\\u")) return null;
  const scanned = scanDocument(source);
  return scanned.kind === "value" && scanned.value instanceof Map ? reprocessGroup(scanned.value) : null;
}
