/** Gives each checked event its identity, its id and its key in the ledger. */
import type { Kind } from "../../shared/events/kind.ts";
import type { ValidationError } from "../../shared/events/validation-error.ts";
import { CONTENT_HASH_BYTES, eventId, type Identity, toHex } from "../../shared/identity.ts";
import type { ProducerPosition } from "../../shared/intake/headers.ts";
import { ledgerKey } from "../ledger/event-key.ts";
import { ordinalOf } from "../ledger/ordinal.ts";
import type { IncomingEvent, ReprocessGroup } from "../ledger/plan.ts";
import type { Measure } from "../usage/measure.ts";

export interface IdentityRule {
  readonly tenant: string;
  readonly kind: Kind;
  readonly stream: string;
  /** The ids of the request's headers, as `sentIdsText` gives them. */
  readonly sentIds: string;
  readonly idempotencyKey: string | null;
  readonly position: ProducerPosition | null;
  /** What makes events new that are like no other: the request's own, however often it is filed. */
  readonly nonce: string;
}

/** What identity needs of an event, and no more: its parsed value is gone by the time the ledger is asked. */
export interface DigestedEvent {
  readonly source: string;
  readonly reasons: readonly ValidationError[];
  /** SHA-256, 32 bytes: of its text as it came where its position makes it known, else of its canonical text. */
  readonly hash: Uint8Array;
  readonly ownId: string | null;
  /** False: without own id, key and position it is a new one, whatever it holds. */
  readonly isKnownByContent: boolean;
  /** The reprocessing group of a persist event. */
  readonly group?: ReprocessGroup | null;
  /** What it adds to the usage that is priced. */
  readonly measure?: Measure | null;
}

/** An event's identity is the first of: own id, idempotency key, producer position, content; else it is a new one. */
export function identify(events: readonly DigestedEvent[], rule: IdentityRule): IncomingEvent[] {
  const equals = new Map<string, number>();
  return events.map((event, index) => {
    const identity = identityOf(event, index, rule, equals);
    const id = eventId(rule.kind, rule.stream, identity, rule.sentIds);
    return {
      index,
      ordinal: ordinalOf(identity),
      source: event.source,
      hash: event.hash.subarray(0, CONTENT_HASH_BYTES),
      id,
      identity: identity.by,
      key: identity.by === "position" ? null : ledgerKey(rule.tenant, id),
      group: event.group ?? null,
      measure: event.measure ?? null,
      position: rule.position === null ? null : rule.position.first + index,
      reasons: event.reasons,
    };
  });
}

/** @param equals how many of each content, by its hash, came before in this request. */
function identityOf(
  event: DigestedEvent,
  index: number,
  { idempotencyKey, position, nonce }: IdentityRule,
  equals: Map<string, number>,
): Identity {
  if (event.ownId !== null) return { by: "id", id: event.ownId };
  if (idempotencyKey !== null) return { by: "key", key: idempotencyKey, index };
  if (position !== null) return { by: "position", producer: position.producer, position: position.first + index };
  if (!event.isKnownByContent) return { by: "new", nonce, index };
  const hash = toHex(event.hash);
  const number = (equals.get(hash) ?? 0) + 1;
  equals.set(hash, number);
  return { by: "content", hash, number };
}
