/** Gives each checked event its identity, its id and its key in the ledger. */
import type { Kind } from "../../shared/events/kind.ts";
import type { ValidationError } from "../../shared/events/validation-error.ts";
import { CONTENT_HASH_BYTES, eventId, type Identity } from "../../shared/identity.ts";
import type { ProducerPosition } from "../../shared/intake/headers.ts";
import { ledgerKey } from "../ledger/event-key.ts";
import type { IncomingEvent, ReprocessGroup } from "../ledger/plan.ts";
import type { Measure } from "../usage/measure.ts";

export interface IdentityRule {
  readonly tenant: string;
  readonly kind: Kind;
  readonly stream: string;
  readonly idempotencyKey: string | null;
  readonly position: ProducerPosition | null;
}

/** What identity needs of an event, and no more: its parsed value is gone by the time the ledger is asked. */
export interface DigestedEvent {
  readonly source: string;
  readonly faults: readonly ValidationError[];
  /** SHA-256 of its canonical text, 32 bytes. */
  readonly hash: Uint8Array;
  readonly ownId: string | null;
  /** The reprocessing group of a persist event. */
  readonly group?: ReprocessGroup | null;
  /** What it adds to the usage that is priced. */
  readonly measure?: Measure | null;
}

/** An event's identity is the first of: own id, idempotency key, producer position, content. */
export function identify(events: readonly DigestedEvent[], rule: IdentityRule): IncomingEvent[] {
  return events.map((event, index) => {
    const identity = identityOf(event, index, rule);
    const id = eventId(rule.kind, rule.stream, identity);
    return {
      index,
      source: event.source,
      hash: event.hash.subarray(0, CONTENT_HASH_BYTES),
      id,
      identity: identity.by,
      key: identity.by === "position" ? null : ledgerKey(rule.tenant, id),
      group: event.group ?? null,
      measure: event.measure ?? null,
      position: rule.position === null ? null : rule.position.first + index,
      faults: event.faults,
    };
  });
}

function identityOf(event: DigestedEvent, index: number, rule: IdentityRule): Identity {
  if (event.ownId !== null) return { by: "id", id: event.ownId };
  if (rule.idempotencyKey !== null) return { by: "key", key: rule.idempotencyKey, index };
  if (rule.position !== null) {
    return { by: "position", producer: rule.position.producer, position: rule.position.first + index };
  }
  return { by: "content", hash: event.hash };
}
