/** Takes a request's events in: room, positions, rows, quarantine and ledger, all in the caller's transaction. */
import type { TakenBody } from "../tables/bodies.ts";
import { type EventRun, eventBytes, sliceRun } from "../tables/event-run.ts";
import type { KeyedBody, KnownBody, KnownEvent } from "../tables/keys.ts";
import type { QuarantineReason } from "../tables/quarantine.ts";
import { type Scope, scopeText } from "../tables/scope.ts";
import type { TailPosition } from "../tables/tails.ts";
import type { Context } from "./context.ts";

export interface AppendInput {
  readonly stream: string;
  readonly scope: Scope;
  readonly receivedAt: number;
  readonly events: EventRun;
  /** Events that go to quarantine instead of the destination. */
  readonly invalid: readonly { readonly index: number; readonly reason: QuarantineReason }[];
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

export type AppendOutcome =
  /** On disk. Events that are not `known` have positions from `firstPosition` on, in order. */
  | {
      readonly kind: "durable";
      readonly firstPosition: number;
      readonly known: readonly KnownEvent[];
      /** Where they were taken under another time of receipt than their own: that of the run that they are part of. */
      readonly receivedAt?: number;
    }
  /** The very same body was taken before, and nothing of it is taken again: its events have positions from there on. */
  | ({ readonly kind: "repeated" } & TakenBody)
  /** Strict, and the key stood for other content, or events are invalid: nothing was taken. */
  | { readonly kind: "refused"; readonly known: readonly KnownEvent[] }
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

const NOTHING_KNOWN: KnownBody = { events: [], through: 0 };

/**
 * Gives every event that its key did not bring before the stream's next position, those that go to
 * quarantine included: positions rise by one for each event accepted.
 */
function insertEvents(tables: Context, input: AppendInput): AppendOutcome {
  const { stream: name, events, idempotency, strict, receivedAt } = input;
  const stream = tables.streams.open(name);
  const known = idempotency === null ? NOTHING_KNOWN : tables.keys.known(stream.id, idempotency);
  const conflicts = known.events.some((event) => !event.same);
  if (strict && (conflicts || input.invalid.length > 0)) return { kind: "refused", known: known.events };

  if (input.tail !== undefined) tables.tails.keep(input.tail);
  const plan = planOf(input, known);
  const origin = { scope: scopeText(input.scope), receivedAt };
  let pending = 0;
  let pendingBytes = 0;
  for (const run of plan.runs) {
    const part = sliceRun(events, run.from, run.to);
    tables.batches.insert(stream.id, stream.nextPosition + run.offset, origin, part);
    pending += part.ends.length;
    pendingBytes += part.body.length;
  }
  for (const { index, offset, reason } of plan.invalid) {
    const position = stream.nextPosition + offset;
    const event = eventBytes(events, index);
    const kept = input.namesIndex === true ? { ...reason, index } : reason;
    tables.quarantine.insert({ stream: stream.id, position, ...origin, event, reason: kept, at: receivedAt });
  }
  tables.streams.add(stream.id, {
    positions: plan.accepted,
    accepted: plan.accepted,
    pending,
    quarantined: plan.invalid.length,
    pendingBytes,
  });
  if (idempotency !== null) {
    const firstPosition = stream.nextPosition + plan.newBefore(known.through);
    tables.keys.keep(stream.id, idempotency, known.through, firstPosition, receivedAt);
  }
  if (input.bodyHash !== undefined)
    tables.bodies.keep(input.bodyHash, { firstPosition: stream.nextPosition, receivedAt });
  return { kind: "durable", firstPosition: stream.nextPosition, known: known.events };
}

interface AppendPlan {
  /** Runs of events that lie together and are to be sent; `offset` counts positions from the next one. */
  readonly runs: readonly { readonly from: number; readonly to: number; readonly offset: number }[];
  readonly invalid: readonly { readonly index: number; readonly offset: number; readonly reason: QuarantineReason }[];
  readonly accepted: number;
  /** How many events before `index` the key did not bring before. */
  newBefore(index: number): number;
}

function planOf(input: AppendInput, known: KnownBody): AppendPlan {
  const count = input.events.ends.length;
  const knownIndexes = new Set(known.events.map((event) => event.index));
  const reasons = new Map(input.invalid.map(({ index, reason }) => [index, reason]));
  const newBefore = (index: number) =>
    Math.min(index, count) - known.events.reduce((sum, event) => sum + (event.index < index ? 1 : 0), 0);
  if (knownIndexes.size === 0 && reasons.size === 0) {
    return { runs: [{ from: 0, to: count, offset: 0 }], invalid: [], accepted: count, newBefore };
  }
  const runs: { from: number; to: number; offset: number }[] = [];
  const invalid: { index: number; offset: number; reason: QuarantineReason }[] = [];
  let accepted = 0;
  for (let index = 0; index < count; index++) {
    if (knownIndexes.has(index)) continue;
    const reason = reasons.get(index);
    const run = runs.at(-1);
    if (reason !== undefined) invalid.push({ index, offset: accepted, reason });
    else if (run?.to === index) run.to = index + 1;
    else runs.push({ from: index, to: index + 1, offset: accepted });
    accepted++;
  }
  return { runs, invalid, accepted, newBefore };
}
