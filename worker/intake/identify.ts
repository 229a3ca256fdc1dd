/** Gives each checked event its identity, its id and its key in the ledger. */
import type { Kind } from "../../shared/events/kind.ts";
import type { ValidationError } from "../../shared/events/validation-error.ts";
import { eventId, type Identity, toHex } from "../../shared/identity.ts";
import type { ProducerPosition } from "../../shared/intake/headers.ts";
import type { DigestSum } from "../../shared/ledger-digest.ts";
import { sha256OfText } from "../../shared/sha256.ts";
import { LedgerKeys } from "../ledger/event-key.ts";
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
  /** The body that the events lie in. */
  readonly bytes: Uint8Array;
  /** What makes events new that are like no other: the request's own, however often it is filed. */
  readonly nonce: string;
}

/** What identity needs of an event, and no more: its parsed value is gone by the time the ledger is asked. */
export interface DigestedEvent {
  readonly source: string;
  /** Where it lies in the body, in bytes. */
  readonly from: number;
  readonly to: number;
  readonly reasons: readonly ValidationError[];
  /** SHA-256 of its canonical text, 32 bytes; null where its position makes it known, and hardly anybody asks. */
  readonly hash: Uint8Array | null;
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
  const keys = new LedgerKeys(rule, rule.sentIds);
  return events.map((event, index) => {
    const identity = identityOf(event, index, rule, equals);
    return new Identified(event, index, identity, rule, identity.by === "position" ? null : keys.of(identity));
  });
}

/** What takes a hash is made when it is asked for: of most events at a position nobody asks for a content hash or a key. */
class Identified implements IncomingEvent {
  readonly index: number;
  readonly position: number | null;
  readonly key: string | null;
  private readonly event: DigestedEvent;
  private readonly is: Identity;
  private readonly rule: IdentityRule;
  private madeId: string | null = null;
  private madeHash: Uint8Array | null;

  constructor(event: DigestedEvent, index: number, is: Identity, rule: IdentityRule, key: string | null) {
    this.index = index;
    this.event = event;
    this.is = is;
    this.rule = rule;
    this.madeHash = event.hash;
    this.position = rule.position === null ? null : rule.position.first + index;
    this.key = key;
  }

  get id(): string {
    const { kind, stream, sentIds } = this.rule;
    this.madeId ??= eventId(kind, stream, this.is, sentIds);
    return this.madeId;
  }

  get hash(): Uint8Array {
    this.madeHash ??= sha256OfText(this.event.source);
    return this.madeHash;
  }

  addTo(digest: DigestSum): void {
    if (this.position !== null) digest.addEvent(this.position, this.rule.bytes, this.event.from, this.event.to);
    else if (this.key !== null) digest.addIdentity(this.key);
  }

  get ordinal(): number {
    return ordinalOf(this.is);
  }

  get identity(): Identity["by"] {
    return this.is.by;
  }

  get source(): string {
    return this.event.source;
  }

  get reasons(): readonly ValidationError[] {
    return this.event.reasons;
  }

  get group(): ReprocessGroup | null {
    return this.event.group ?? null;
  }

  get measure(): Measure | null {
    return this.event.measure ?? null;
  }
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
  if (event.hash === null) throw new Error("an event known by its content has no hash of it");
  const hash = toHex(event.hash);
  const number = (equals.get(hash) ?? 0) + 1;
  equals.set(hash, number);
  return { by: "content", hash, number };
}
