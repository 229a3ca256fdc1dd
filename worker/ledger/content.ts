/** What an event holds, by its source text. */
import type { Kind } from "../../shared/events/kind.ts";
import { READ_ONLY } from "../../shared/events/solvimon-fields.ts";
import { contentHash } from "../../shared/identity.ts";
import { scanJson } from "../../shared/json/bodies.ts";

const NO_LIMITS = { eventsMax: 1, eventBytesMax: Number.POSITIVE_INFINITY };

/** The content hash (32 bytes) of an event that was checked before. */
export function contentHashOf(kind: Kind, source: string): Uint8Array {
  const scanned = scanJson(source, NO_LIMITS);
  const event = scanned.kind === "events" ? scanned.events[0] : undefined;
  if (event === undefined) throw new Error("a checked event is not an object");
  return contentHash(event.fields, kind === "usage" ? undefined : READ_ONLY[kind]);
}
