/** What is kept of an event while its request is answered; its parsed value, many times its text, is not. */
import type { ValidationError } from "../../shared/events/validation-error.ts";
import { CONTENT_HASH_BYTES, contentHash, ownIdOf, type SentIds, sentIdsText } from "../../shared/identity.ts";
import type { Dialect, Keep, Reason } from "../../shared/intake/dialect.ts";
import type { QuarantineReason } from "../buffer/tables/quarantine.ts";
import type { AppendInput } from "../buffer/transactions/append.ts";

export interface KeptEvent<R> {
  readonly ownId: string | null;
  /** Of its content; null where no key asks for it. */
  readonly hash: Uint8Array | null;
  /** Whether it says when it happened, or is not valid, so that its repeat is no second event. */
  readonly isRepeatable: boolean;
  readonly errors: readonly R[];
}

/** @param sources takes each event's text, which is needed no longer than until it is packed. */
export function keepBy<R extends Reason>(
  ownIdField: string | null,
  { readOnly, carriesTime }: Pick<Dialect<R>, "readOnly" | "carriesTime">,
  isKeyed: boolean,
  sources: string[],
): Keep<KeptEvent<R>, R> {
  return ({ source, value, errors }) => {
    sources.push(source);
    return {
      ownId: ownIdField === null ? null : ownIdOf(value.get(ownIdField)),
      hash: isKeyed ? contentHash(value, readOnly) : null,
      isRepeatable: errors.length > 0 || carriesTime(value),
      errors,
    };
  };
}

/** The events that go to quarantine, each by its first error. */
export function invalidOf<R extends Reason>(
  dialect: Dialect<R>,
  events: readonly KeptEvent<R>[],
): AppendInput["invalid"] {
  return events.flatMap(({ errors: [error] }, index) =>
    error === undefined ? [] : [{ index, reason: reasonOf(dialect.listed(error, index)) }],
  );
}

/** Why the agent itself holds an event back, in the words its sender got. */
export function reasonOf(error: ValidationError): QuarantineReason {
  return { status: 400, ...error };
}

/** A key is one for each set of ids: the same key for another entity brings other events. */
export function keyedBody<R>(
  idempotencyKey: string,
  scope: SentIds,
  events: readonly KeptEvent<R>[],
): AppendInput["idempotency"] {
  const where = sentIdsText(scope);
  // No header holds a line feed: the two never read like a key alone.
  const key = where === "" ? idempotencyKey : `${where}\n${idempotencyKey}`;
  const hashes = new Uint8Array(events.length * CONTENT_HASH_BYTES);
  const ownIds = new Uint8Array(events.length);
  for (const [index, { hash, ownId }] of events.entries()) {
    if (hash !== null) hashes.set(hash.subarray(0, CONTENT_HASH_BYTES), index * CONTENT_HASH_BYTES);
    ownIds[index] = ownId === null ? 0 : 1;
  }
  return { key, hashes, ownIds };
}
