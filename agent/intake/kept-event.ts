/** What is kept of a body's events while its request is answered: as little as its answer and the log need. */
import { ERRORS_LISTED_MAX, type ValidationError } from "../../shared/events/validation-error.ts";
import { CONTENT_HASH_BYTES, contentHash, ownIdOf, type SentIds, sentIdsText } from "../../shared/identity.ts";
import type { CheckedEvent, Dialect, Keep, Reason } from "../../shared/intake/dialect.ts";
import type { QuarantineReason } from "../buffer/tables/quarantine.ts";
import type { AppendInput } from "../buffer/transactions/append.ts";
import { ByteBlocks } from "./byte-blocks.ts";

/** From here on an event keeps but its first error: sixteen bytes of JSON may make two hundred of errors. */
const ERRORS_KEPT_MAX = 10_000;
/** Equal errors of different events are kept once; so many are looked for. */
const ERRORS_SHARED_MAX = 1_000;

/** The events of one body, in order. */
export interface KeptEvents<R> {
  readonly count: number;
  /** Where each lies in the body: two offsets. */
  readonly spans: readonly number[];
  /** How many are not valid. */
  readonly invalid: number;
  /** Whether each says when it happened, or is not valid, so that its repeat is no second event. */
  readonly areRepeatable: boolean;
  /** Own ids by index; of those that have one. */
  readonly ownIds: ReadonlyMap<number, string>;
  /** The first bytes of each one's content hash, laid end to end; empty where no key asks for them. */
  readonly hashes: Uint8Array;
  /** What is wrong with those that are not valid, by index, without it; of many, each one's first. */
  readonly errors: ReadonlyMap<number, readonly R[]>;
}

export interface EventKeeper<R> {
  readonly keep: Keep<void, R>;
  /** What was kept so far. */
  kept(): KeptEvents<R>;
}

/** @param isKeyed whether the request's idempotency key asks for hashes of content. */
export function createEventKeeper<R extends Reason>(
  ownIdField: string | null,
  { readOnly, carriesTime }: Pick<Dialect<R>, "readOnly" | "carriesTime">,
  isKeyed: boolean,
): EventKeeper<R> {
  const spans: number[] = [];
  const ownIds = new Map<number, string>();
  const errors = createErrorKeeper<R>();
  const hashes = new ByteBlocks();
  let areRepeatable = true;
  return {
    keep({ from, to, fields, found }: CheckedEvent<R>, index) {
      spans.push(from, to);
      const ownId = ownIdField === null ? null : ownIdOf(fields.get(ownIdField));
      if (ownId !== null) ownIds.set(index, ownId);
      if (isKeyed) hashes.add(contentHash(fields, readOnly).subarray(0, CONTENT_HASH_BYTES));
      if (found.length > 0) errors.add(index, found);
      else areRepeatable &&= carriesTime(fields);
    },
    kept: () => ({
      count: spans.length / 2,
      spans,
      invalid: errors.byIndex.size,
      areRepeatable,
      ownIds,
      hashes: hashes.take(),
      errors: errors.byIndex,
    }),
  };
}

function createErrorKeeper<R extends Reason>() {
  const byIndex = new Map<number, readonly R[]>();
  const shared = new Map<string, readonly R[]>();
  let kept = 0;
  const share = (error: R): readonly R[] => {
    const found = shared.get(error.message);
    if (found !== undefined) return found;
    const alone = [error];
    if (shared.size < ERRORS_SHARED_MAX) shared.set(error.message, alone);
    return alone;
  };
  return {
    byIndex: byIndex as ReadonlyMap<number, readonly R[]>,
    add(index: number, errors: readonly R[]): void {
      const [first] = errors;
      if (first === undefined) return;
      const isWhole = errors.length > 1 && kept + errors.length <= ERRORS_KEPT_MAX;
      if (isWhole) kept += errors.length;
      byIndex.set(index, isWhole ? errors : share(first));
    },
  };
}

/** As many errors as an answer lists, in order, each with its event's index. */
export function listedErrors<R extends Reason>({ errors }: KeptEvents<R>): R[] {
  const listed: R[] = [];
  for (const [index, found] of errors) {
    for (const error of found) listed.push({ ...error, index });
    if (listed.length >= ERRORS_LISTED_MAX) break;
  }
  return listed;
}

/** The events that go to quarantine, each by its first error; events that share one share the reason too. */
export function invalidOf<R extends Reason>(dialect: Dialect<R>, { errors }: KeptEvents<R>): AppendInput["invalid"] {
  const reasons = new Map<R, QuarantineReason>();
  return Array.from(errors, ([index, [error]]) => {
    if (error === undefined) throw new RangeError("an event is not valid for no reason");
    const reason = reasons.get(error) ?? withoutIndex(reasonOf(dialect.listed(error, index)));
    reasons.set(error, reason);
    return { index, reason };
  });
}

/** The index is each event's own; it is added where the reason is written down. */
function withoutIndex({ index: _, ...reason }: QuarantineReason): QuarantineReason {
  return reason;
}

/** Why the agent itself holds an event back, in the words its sender got. */
export function reasonOf(error: ValidationError): QuarantineReason {
  return { status: 400, ...error };
}

/** A key is one for each set of ids: the same key for another entity brings other events. */
export function keyedBody<R>(
  idempotencyKey: string,
  scope: SentIds,
  events: KeptEvents<R>,
): AppendInput["idempotency"] {
  const where = sentIdsText(scope);
  // No header holds a line feed: the two never read like a key alone.
  const key = where === "" ? idempotencyKey : `${where}\n${idempotencyKey}`;
  const ownIds = new Uint8Array(events.count);
  for (const index of events.ownIds.keys()) ownIds[index] = 1;
  return { key, hashes: events.hashes, ownIds };
}
