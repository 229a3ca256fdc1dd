/** What is kept of an event while it is filed: what is read of it here is not. */
import type { ValidationError } from "../../shared/events/validation-error.ts";
import { contentHash, ownIdOf } from "../../shared/identity.ts";
import type { Dialect, Keep, Reason } from "../../shared/intake/dialect.ts";
import type { EdgeRules } from "./edge-dialect.ts";
import type { DigestedEvent } from "./identify.ts";

export interface Digested<R> extends DigestedEvent {
  /** What is wrong with it, in the API's form; empty for a valid event. */
  readonly errors: readonly R[];
}

const NONE: readonly ValidationError[] = [];

/** Errors kept of a request whole; of an event after that its first. What an answer lists is far less. */
const ERRORS_KEPT_MAX = 10_000;

/** @param byPosition whether an event without own id is known by its position, and so by its very bytes. */
export function digestBy<R extends Reason>(
  dialect: Dialect<R>,
  rules: EdgeRules<R>,
  byPosition: boolean,
): Keep<Digested<R>, R> {
  const { ownIdField, deduplicatesByContent, measure, group } = rules;
  let kept = 0;
  return ({ source, from, to, fields, errors: found }, index) => {
    const errors = kept < ERRORS_KEPT_MAX ? found : found.slice(0, 1);
    kept += errors.length;
    const isValid = errors.length === 0;
    const ownId = ownIdField === null ? null : ownIdOf(fields.get(ownIdField));
    return {
      source,
      from,
      to,
      errors,
      reasons: isValid ? NONE : errors.map((error) => dialect.listed(error, index)),
      hash: byPosition && ownId === null ? null : contentHash(fields, dialect.readOnly),
      ownId,
      isKnownByContent: deduplicatesByContent && dialect.carriesTime(fields),
      group: group(fields),
      measure: isValid ? measure(fields) : null,
    };
  };
}
