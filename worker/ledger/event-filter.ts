/** What a list of events is narrowed to, and what of that an event's own text must say. */
import { scanDocument } from "../../shared/json/document.ts";
import { JsonNumber } from "../../shared/json/value.ts";
import type { StoredEntry } from "./event-fates.ts";
import type { EventState } from "./stored-event.ts";

export interface EventFilter {
  /** Null: every stream of the tenant. */
  readonly streams: readonly string[] | null;
  readonly producer: string | null;
  readonly state: EventState | null;
  /** Received between, milliseconds since 1970, ends inclusive. */
  readonly from: number;
  readonly to: number;
  /** Its own id; found by a seek for each stream. */
  readonly ownId: string | null;
  /** The Idempotency-Key of its request; found as `ownId` is. */
  readonly key: string | null;
  readonly customer: CustomerFilter | null;
}

export const EVERYTHING: EventFilter = {
  streams: null,
  producer: null,
  state: null,
  from: 0,
  to: Number.MAX_SAFE_INTEGER,
  ownId: null,
  key: null,
  customer: null,
};

export interface CustomerFilter {
  readonly text: string;
  /** The top-level fields of a stream's events that may name the customer. */
  fieldsOf(stream: string): readonly string[];
}

/** Whether an event is one of those asked for, as far as its batch did not say so before. */
export function isWanted(event: StoredEntry, { state, customer }: EventFilter): boolean {
  if (state !== null && event.state !== state) return false;
  return customer === null || namesCustomer(event, customer);
}

function namesCustomer({ source, stream }: StoredEntry, { text, fieldsOf }: CustomerFilter): boolean {
  if (source === null) return false;
  const scanned = scanDocument(source);
  if (scanned.kind === "invalid" || !(scanned.value instanceof Map)) throw new Error("a stored event is not an object");
  const { value } = scanned;
  return fieldsOf(stream).some((field) => {
    const named = value.get(field);
    return (named instanceof JsonNumber ? named.text : named) === text;
  });
}
