/** Gives each checked event its identity, its id and its key in the ledger. */
import { sha256 } from "@noble/hashes/sha2.js";
import { utf8ToBytes } from "@noble/hashes/utils.js";
import type { Kind } from "../../shared/events/kind.ts";
import type { Fault } from "../../shared/fault.ts";
import { contentHash, eventId, type Identity, identityText, ownIdOf, toHex } from "../../shared/identity.ts";
import type { ProducerPosition } from "../../shared/intake/headers.ts";
import type { CheckedEvent } from "../../shared/intake/usage-body.ts";
import { HASH_BYTES } from "../ledger/entries.ts";
import type { IncomingEvent } from "../ledger/plan.ts";

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
  readonly faults: readonly Fault[];
  /** SHA-256 of its canonical text, 32 bytes. */
  readonly hash: Uint8Array;
  readonly ownId: string | null;
}

/** @param ownIdField top-level field that holds an event's own id, if the stream has one. */
export function digestEvent(event: CheckedEvent, ownIdField: string | null): DigestedEvent {
  const { source, value, faults } = event;
  return {
    source,
    faults,
    hash: contentHash(value),
    ownId: ownIdField === null ? null : ownIdOf(value.get(ownIdField)),
  };
}

/** An event's identity is the first of: own id, idempotency key, producer position, content. */
export function identify(events: readonly DigestedEvent[], rule: IdentityRule): IncomingEvent[] {
  return events.map((event, index) => {
    const identity = identityOf(event, index, rule);
    return {
      index,
      source: event.source,
      hash: event.hash.subarray(0, HASH_BYTES),
      id: eventId(rule.kind, rule.stream, identity),
      key: identity.by === "position" ? null : ledgerKey(rule, identityText(identity)),
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

/** First 16 bytes, in hex, of SHA-256 over tenant and identity: the same event of two tenants is two events. */
export function ledgerKey(of: Pick<IdentityRule, "tenant" | "kind" | "stream">, identity: string): string {
  return toHex(sha256(utf8ToBytes(`${of.tenant}\n${of.kind}\n${of.stream}\n${identity}`)).subarray(0, HASH_BYTES));
}
