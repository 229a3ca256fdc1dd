/** Takes a request's events in: room, positions, rows, quarantine and ledger, all in the caller's transaction. */
import { DigestSum } from "../../../shared/ledger-digest.ts";
import type { TakenBody } from "../tables/bodies.ts";
import { addRun, type EventRun, eventBytes, sliceRun } from "../tables/event-run.ts";
import { type KeyedBody, NOTHING_KNOWN } from "../tables/keys.ts";
import { countBelow, type KnownEvents } from "../tables/known-events.ts";
import type { QuarantineReason } from "../tables/quarantine.ts";
import { type Scope, scopeText } from "../tables/scope.ts";
import type { StreamRow } from "../tables/streams.ts";
import type { TailPosition } from "../tables/tails.ts";
import type { Context } from "./context.ts";

export interface AppendInput {
  readonly stream: string;
  readonly scope: Scope;
  readonly receivedAt: number;
  readonly events: EventRun;
  /** Events that go to quarantine instead of the destination; none where it is absent. */
  readonly invalid?: InvalidEvents;
  /** Whether each one's reason is kept with its index in the body. */
  readonly namesIndex?: boolean;
  /** The request's idempotency key and a hash of each event's content (`CONTENT_HASH_BYTES`), laid end to end. */
  readonly idempotency: KeyedBody | null;
  /** The first bytes of a hash of the whole body, where that is what a repeat is told by; see `BODY_HASH_BYTES`. */
  readonly bodyHash?: Uint8Array;
  /** Take all or nothing: any conflict refuses the whole body. */
  readonly strict: boolean;
  /** How far a followed file has been read once these events are in. */
  readonly tail?: TailPosition;
}

/** Flat, since a body may have hundreds of thousands of them. */
export interface InvalidEvents {
  /** Of the events in the body, in order. */
  readonly indexes: Uint32Array;
  /** Which of the reasons is each one's. */
  readonly which: Uint32Array;
  readonly reasons: readonly QuarantineReason[];
}

export type AppendOutcome =
  /** On disk. Events that are not `known` have positions from `firstPosition` on, in order. */
  | {
      readonly kind: "durable";
      readonly firstPosition: number;
      readonly known: KnownEvents;
      /** Where they were taken under another time of receipt than their own: that of the run that they are part of. */
      readonly receivedAt?: number;
    }
  /** The very same body was taken before, and nothing of it is taken again: its events have positions from there on. */
  | ({ readonly kind: "repeated" } & TakenBody)
  /** Strict, and the key stood for other content, or events are invalid: nothing was taken. */
  | { readonly kind: "refused"; readonly known: KnownEvents }
  /** No room: the buffer's own bound, or the disk's. */
  | { readonly kind: "full"; readonly bound: "buffer" | "disk" };

/** Appends where there is room, or where evicting what is only kept for an audit makes some. */
export function append(context: Context, input: AppendInput): AppendOutcome {
  const { room, retained, reserveWhole, bodies } = context;
  // Before anything is said of room: a repeat needs none.
  const before = input.bodyHash === undefined ? null : bodies.find(input.bodyHash);
  if (before !== null) return { kind: "repeated", ...before };
  if (!reserveWhole) return { kind: "full", bound: "disk" };
  const { shortfallBytes } = room.take(input.events);
  if (shortfallBytes === 0) return insertEvents(context, input);
  if (!retained.evict(shortfallBytes)) return { kind: "full", bound: "buffer" };
  room.measure();
  if (room.take(input.events).shortfallBytes > 0) return { kind: "full", bound: "buffer" };
  return insertEvents(context, input);
}

/**
 * Gives every event that its key did not bring before the stream's next position, those that go to
 * quarantine included: positions rise by one for each event accepted.
 */
function insertEvents(tables: Context, input: AppendInput): AppendOutcome {
  const { idempotency, strict, receivedAt } = input;
  const stream = tables.streams.open(input.stream);
  const known = idempotency === null ? NOTHING_KNOWN : tables.keys.known(stream.id, idempotency);
  const conflicts = known.events.same.includes(0);
  const invalid = input.invalid?.indexes.length ?? 0;
  if (strict && (conflicts || invalid > 0)) return { kind: "refused", known: known.events };

  if (input.tail !== undefined) tables.tails.keep(input.tail);
  const { accepted, pending, pendingBytes, digest } = insertEach(tables, stream, input, known.events);
  const counts = { positions: accepted, accepted, pending, quarantined: accepted - pending, pendingBytes, digest };
  tables.streams.add(stream.id, counts);
  if (idempotency !== null) {
    const knownBefore = countBelow(known.events, known.through);
    const newBefore = Math.min(known.through, input.events.ends.length) - knownBefore;
    const firstPosition = stream.nextPosition + newBefore;
    tables.keys.keep(stream.id, idempotency, known.through, firstPosition, receivedAt);
  }
  if (input.bodyHash !== undefined)
    tables.bodies.keep(input.bodyHash, { firstPosition: stream.nextPosition, receivedAt });
  return { kind: "durable", firstPosition: stream.nextPosition, known: known.events };
}

/** Writes each run of events that lie together and are to be sent, and each that goes to quarantine; what is known is left out. */
function insertEach(tables: Context, stream: StreamRow, input: AppendInput, known: KnownEvents) {
  const { events, invalid, receivedAt } = input;
  const origin = { scope: scopeText(input.scope), receivedAt };
  const sum = { accepted: 0, pending: 0, pendingBytes: 0 };
  const digest = new DigestSum();
  const insertRun = (from: number, to: number): void => {
    if (to <= from) return;
    const run = sliceRun(events, from, to);
    tables.batches.insert(stream.id, stream.nextPosition + sum.accepted, origin, run);
    addRun(digest, stream.nextPosition + sum.accepted, run);
    sum.accepted += to - from;
    sum.pending += to - from;
    sum.pendingBytes += run.body.length;
  };
  const hold = (index: number, reason: QuarantineReason): void => {
    const position = stream.nextPosition + sum.accepted;
    const kept = input.namesIndex === true ? { ...reason, index } : reason;
    const event = eventBytes(events, index);
    tables.quarantine.insert({ stream: stream.id, position, ...origin, event, reason: kept, at: receivedAt });
    digest.addEvent(position, event, 0, event.length);
    sum.accepted++;
  };
  let from = 0;
  for (const { index, reason } of leftOut(known, invalid)) {
    insertRun(from, index);
    if (reason !== null) hold(index, reason);
    from = index + 1;
  }
  insertRun(from, events.ends.length);
  return { ...sum, digest: digest.value };
}

/** Events that are not to be sent, in order: known ones without a reason, those for quarantine with theirs. */
function* leftOut(
  { indexes: known }: KnownEvents,
  invalid: InvalidEvents | undefined,
): Generator<{ readonly index: number; readonly reason: QuarantineReason | null }> {
  let seen = 0;
  const indexes = invalid?.indexes ?? NO_INDEXES;
  for (const [place, index] of indexes.entries()) {
    for (let before = known[seen]; before !== undefined && before < index; before = known[++seen]) {
      yield { index: before, reason: null };
    }
    // Known is known, whatever is wrong with it.
    if (known[seen] === index) continue;
    const reason = invalid?.reasons[invalid.which[place] ?? 0];
    if (reason === undefined) throw new RangeError(`event ${index} is not valid for no reason`);
    yield { index, reason };
  }
  for (const index of known.subarray(seen)) yield { index, reason: null };
}

const NO_INDEXES = new Uint32Array(0);
