/** Checks a line of NDJSON as a body of its own. */
import type { SolvimonKind } from "../../shared/events/solvimon-fields.ts";
import type { EventCheck } from "../../shared/events/stream-schema.ts";
import { type ValidationError, validationError } from "../../shared/events/validation-error.ts";
import { quarantineError } from "../../shared/intake/solvimon-answer.ts";
import { readSolvimonEvent } from "../../shared/intake/solvimon-body.ts";
import { readUsageBody } from "../../shared/intake/usage-body.ts";
import type { BodyLimits } from "../../shared/wire.ts";

export interface CheckedLine {
  readonly index: number;
  /** The event's source, or of a bad line all there is. */
  readonly bytes: Uint8Array;
  readonly fault: ValidationError | null;
}

const BLANK = /^[ \t\r\n]*$/;

function isBlank(bytes: Uint8Array): boolean {
  return bytes.length < 64 && BLANK.test(Buffer.from(bytes).toString("latin1"));
}

/** Null for a blank line. */
export function checkUsageLine(
  bytes: Uint8Array,
  index: number,
  check: EventCheck,
  limits: BodyLimits,
): CheckedLine | null {
  if (isBlank(bytes)) return null;
  const read = readUsageBody(bytes, "ndjson", check, limits);
  if (read.kind === "too-large") return { index, bytes, fault: validationError(read.message) };
  if (read.kind === "malformed") return { index, bytes, fault: withoutIndex(read.fault) };
  const [event] = read.events;
  return event === undefined ? null : lineOf(index, event.source, event.faults[0]);
}

/** Null for a blank line. */
export function checkSolvimonLine(
  bytes: Uint8Array,
  index: number,
  kind: SolvimonKind,
  limits: BodyLimits,
): CheckedLine | null {
  if (isBlank(bytes)) return null;
  const read = readSolvimonEvent(bytes, kind, limits, ({ source, faults: [fault] }) => ({ source, fault }));
  if (read.kind === "too-large") return { index, bytes, fault: validationError(read.message) };
  if (read.kind === "malformed") return { index, bytes, fault: withoutIndex(quarantineError(read.reason, 0)) };
  const [event] = read.events;
  if (event === undefined) return null;
  return lineOf(index, event.source, event.fault && quarantineError(event.fault, 0));
}

function lineOf(index: number, source: string, fault: ValidationError | undefined): CheckedLine {
  return { index, bytes: Buffer.from(source, "utf8"), fault: fault === undefined ? null : withoutIndex(fault) };
}

/** A line is a body of its own here, and its index there would say nothing. */
function withoutIndex({ code, message, field }: ValidationError): ValidationError {
  return { code, message, ...(field === undefined ? {} : { field }) };
}
