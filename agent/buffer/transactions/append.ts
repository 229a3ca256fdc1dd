/** Takes a request's events in: positions, rows, quarantine and ledger, all in the caller's transaction. */
import type { BatchTable } from "../tables/batches.ts";
import { scopeText } from "../tables/batches.ts";
import { eventBytes, sliceRun } from "../tables/event-run.ts";
import type { KeyMemory, KnownBody } from "../tables/keys.ts";
import type { QuarantineTable } from "../tables/quarantine.ts";
import type { StreamTable } from "../tables/streams.ts";
import type { TailTable } from "../tables/tails.ts";
import type { AppendOperation, AppendOutcome, QuarantineReason } from "./operations.ts";

export interface AppendTables {
  readonly streams: StreamTable;
  readonly batches: BatchTable;
  readonly quarantine: QuarantineTable;
  readonly keys: KeyMemory;
  readonly tails: TailTable;
}

const NOTHING_KNOWN: KnownBody = { events: [], through: 0 };

/**
 * Gives every event that its key did not bring before the stream's next position, those that go to
 * quarantine included: positions rise by one for each event taken in charge.
 */
export function append(tables: AppendTables, operation: AppendOperation): AppendOutcome {
  const { stream: name, events, idempotency, strict, receivedAt } = operation;
  const stream = tables.streams.open(name);
  const known = idempotency === null ? NOTHING_KNOWN : tables.keys.known(stream.id, idempotency);
  const conflicts = known.events.some((event) => !event.same);
  if (strict && (conflicts || operation.faulty.length > 0)) return { kind: "refused", known: known.events };

  if (operation.tail !== undefined) tables.tails.keep(operation.tail);
  const plan = planOf(operation, known);
  const scope = scopeText(operation.scope);
  let pending = 0;
  let pendingBytes = 0;
  for (const run of plan.runs) {
    const part = sliceRun(events, run.from, run.to);
    tables.batches.insert(stream.id, stream.nextPosition + run.offset, scope, receivedAt, part);
    pending += part.ends.length;
    pendingBytes += part.body.length;
  }
  for (const { index, offset, reason } of plan.faulty) {
    const position = stream.nextPosition + offset;
    const event = eventBytes(events, index);
    tables.quarantine.insert({ stream: stream.id, position, scope, receivedAt, event, reason, at: receivedAt });
  }
  tables.streams.add(stream.id, {
    positions: plan.taken,
    accepted: plan.taken,
    pending,
    quarantined: plan.faulty.length,
    pendingBytes,
  });
  if (idempotency !== null) {
    const firstPosition = stream.nextPosition + plan.takenBefore(known.through);
    tables.keys.keep(stream.id, idempotency, known.through, firstPosition, receivedAt);
  }
  return { kind: "durable", firstPosition: stream.nextPosition, known: known.events };
}

interface AppendPlan {
  /** Runs of events that lie together and are to be sent; `offset` counts positions from the next one. */
  readonly runs: readonly { readonly from: number; readonly to: number; readonly offset: number }[];
  readonly faulty: readonly { readonly index: number; readonly offset: number; readonly reason: QuarantineReason }[];
  readonly taken: number;
  /** How many events before `index` are taken. */
  takenBefore(index: number): number;
}

function planOf(operation: AppendOperation, known: KnownBody): AppendPlan {
  const count = operation.events.ends.length;
  const knownIndexes = new Set(known.events.map((event) => event.index));
  const reasons = new Map(operation.faulty.map(({ index, reason }) => [index, reason]));
  const takenBefore = (index: number) =>
    Math.min(index, count) - known.events.reduce((sum, event) => sum + (event.index < index ? 1 : 0), 0);
  if (knownIndexes.size === 0 && reasons.size === 0) {
    return { runs: [{ from: 0, to: count, offset: 0 }], faulty: [], taken: count, takenBefore };
  }
  const runs: { from: number; to: number; offset: number }[] = [];
  const faulty: { index: number; offset: number; reason: QuarantineReason }[] = [];
  let taken = 0;
  for (let index = 0; index < count; index++) {
    if (knownIndexes.has(index)) continue;
    const reason = reasons.get(index);
    const run = runs.at(-1);
    if (reason !== undefined) faulty.push({ index, offset: taken, reason });
    else if (run?.to === index) run.to = index + 1;
    else runs.push({ from: index, to: index + 1, offset: taken });
    taken++;
  }
  return { runs, faulty, taken, takenBefore };
}
