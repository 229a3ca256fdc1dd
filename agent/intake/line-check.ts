/** Checks a line of NDJSON as a body of its own. */
import { type ValidationError, validationError } from "../../shared/events/validation-error.ts";
import type { Check, Dialect, Reason } from "../../shared/intake/dialect.ts";
import { isBlankLine } from "../../shared/json/lines.ts";
import type { BodyLimits } from "../../shared/wire.ts";

export interface CheckedLine {
  readonly index: number;
  /** The event's source, or of a bad line all there is. */
  readonly bytes: Uint8Array;
  readonly error: ValidationError | null;
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.length < 64 && isBlankLine(bytes);
}

/**
 * @param dialect of a body that is one event, or of one that may be NDJSON.
 * @returns null for a blank line.
 */
export function checkLine<R extends Reason>(
  bytes: Uint8Array,
  index: number,
  dialect: Dialect<R>,
  check: Check<R>,
  limits: BodyLimits,
): CheckedLine | null {
  if (isBlank(bytes)) return null;
  const form = dialect.forms.includes("ndjson") ? "ndjson" : "json";
  const read = dialect.read(bytes, form, check, limits, ({ from, to, errors: [error] }) => ({ from, to, error }));
  if (read.kind === "too-large") return { index, bytes, error: validationError(read.message) };
  if (read.kind === "malformed") return { index, bytes, error: withoutIndex(dialect.listed(read.reason, 0)) };
  const [event] = read.events;
  if (event === undefined) return null;
  const error = event.error === undefined ? null : withoutIndex(dialect.listed(event.error, 0));
  return { index, bytes: bytes.subarray(event.from, event.to), error };
}

/** A line is a body of its own here, and its index there would say nothing. */
function withoutIndex({ code, message, field }: ValidationError): ValidationError {
  return { code, message, ...(field === undefined ? {} : { field }) };
}
