/** Events read back out of the ledger: what was accepted, under which id, and what became of it. */
import { type Kind, kindOf } from "../../shared/events/kind.ts";
import { READ_ONLY } from "../../shared/events/solvimon-fields.ts";
import { contentHash, eventId, type Identity, ownIdOf, toHex } from "../../shared/identity.ts";
import { scanDocument } from "../../shared/json/document.ts";
import type { JsonObject } from "../../shared/json/value.ts";
import type { BatchRow } from "../database/rows.ts";
import { mayLackOwnId, type ReadOrdinal, readOrdinal } from "./ordinal.ts";

export const EVENT_STATES = ["pending", "delivered", "quarantined", "discarded"] as const;
export type EventState = (typeof EVENT_STATES)[number];

/** What may become of an event in quarantine. */
export const QUARANTINE_STATES = ["open", "replayed", "discarded"] as const;
export type QuarantineState = (typeof QUARANTINE_STATES)[number];

/** Where a payload is that is no more in the ledger, and since when (ISO 8601). */
export interface Departure {
  readonly kind: "archived" | "removed";
  readonly at: string;
}

export interface StoredEvent {
  /** Null where only its content told it, and that was removed: who asks by id knows it. */
  readonly id: string | null;
  readonly kind: Kind;
  readonly stream: string;
  readonly producer: string | null;
  readonly position: number | null;
  /** Where its identity is filed. */
  readonly batch: number;
  readonly entry: number;
  /** Source text; a corrected event's is the correction. Null where it was removed, or cannot be read back. */
  readonly source: string | null;
  /** Null while its payload is in the ledger. */
  readonly departure: Departure | null;
  /** When it was first received, by an agent if one was on the way (ISO 8601). */
  readonly receivedAt: string;
  readonly state: EventState;
}

/** What gives the entries of a batch their identity. */
export type IdentityRow = Pick<
  BatchRow,
  "producer" | "first" | "idempotency_key" | "own_id_field" | "sent_ids" | "nonce"
>;

/**
 * The id of an event as it was filed.
 * @param ordinal what its entry keeps of its identity: see ordinal.ts.
 */
export function storedEventId(
  stream: string,
  row: IdentityRow,
  entry: number,
  ordinal: number,
  source: string,
): string {
  const kind = kindOf(stream);
  return eventId(kind, stream, identityOf(kind, row, entry, ordinal, source), row.sent_ids ?? "");
}

/** The same where the source was removed; null where that alone would tell. */
export function removedEventId(stream: string, row: IdentityRow, entry: number, ordinal: number): string | null {
  if (row.own_id_field !== null && !mayLackOwnId(ordinal)) return null;
  const known = { ...row, own_id_field: null };
  const isNew = withoutNames(row, ordinal).by === "new";
  const isKnown = row.idempotency_key !== null || (row.producer !== null && row.first !== null) || isNew;
  return isKnown ? storedEventId(stream, known, entry, ordinal, "{}") : null;
}

/** The source is read only where it decides: of most events, known by position or key, it never does. */
function identityOf(kind: Kind, row: IdentityRow, entry: number, ordinal: number, source: string): Identity {
  const ownId = row.own_id_field === null ? null : ownIdOf(objectOf(source).get(row.own_id_field));
  if (ownId !== null) return { by: "id", id: ownId };
  if (row.idempotency_key !== null) return { by: "key", key: row.idempotency_key, index: ordinal };
  if (row.producer !== null && row.first !== null) {
    return { by: "position", producer: row.producer, position: row.first + entry };
  }
  const filed = withoutNames(row, ordinal);
  if (filed.by === "new") return { by: "new", nonce: row.nonce, index: filed.index };
  const hash = toHex(contentHash(objectOf(source), kind === "usage" ? undefined : READ_ONLY[kind]));
  return { by: "content", hash, number: filed.number };
}

/** How an event was identified that has neither own id, key nor position. */
export function withoutNames({ sent_ids }: Pick<IdentityRow, "sent_ids">, ordinal: number): ReadOrdinal {
  return sent_ids === null ? { by: "content", number: 1 } : readOrdinal(ordinal);
}

function objectOf(source: string): JsonObject {
  const scanned = scanDocument(source);
  if (scanned.kind === "invalid" || !(scanned.value instanceof Map)) throw new Error("a stored event is not an object");
  return scanned.value;
}
