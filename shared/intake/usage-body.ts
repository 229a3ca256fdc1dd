/** From a usage stream's body to checked events: the part of intake that edge and agent share. */
import { VALIDATION_CODE, type ValidationError } from "../events/validation-error.ts";
import { scanJson, scanLines } from "../json/bodies.ts";
import { countEvents } from "../json/count-events.ts";
import type { ScanError } from "../json/scan-error.ts";
import type { BodyForm, BodyLimits } from "../wire.ts";
import { checkEach } from "./checked-event.ts";
import type { BodyOutcome, Check, Keep } from "./dialect.ts";

/**
 * Reads an inflated body and checks each event.
 * Events are counted before they are checked, so a body that is both too long and invalid is too long.
 * @param keep takes each checked event, which is only good until it returns; what it returns is kept in its place, if anything.
 */
export function readUsageBody<T>(
  bytes: Uint8Array,
  form: BodyForm,
  check: Check<ValidationError>,
  limits: BodyLimits,
  keep: Keep<T, ValidationError>,
): BodyOutcome<T, ValidationError> {
  if (bytes.length > limits.bodyBytesMax) return tooLarge(`the body has more than ${limits.bodyBytesMax} bytes`);
  const take = checkEach(check, keep);
  const scanned = form === "json" ? scanJson(bytes, limits, take) : scanLines(bytes, limits, take);
  if (scanned.kind === "invalid") return refuseBody(scanned.error, bytes, form, limits);
  return { ...scanned, receivedAt: null };
}

function refuseBody(
  error: ScanError,
  bytes: Uint8Array,
  form: BodyForm,
  limits: BodyLimits,
): BodyOutcome<never, ValidationError> {
  if (error.kind === "too-many-events" || countEvents(bytes, form) > limits.eventsMax) {
    return tooLarge(`the body has more than ${limits.eventsMax} events`);
  }
  if (error.kind === "event-too-large") {
    return { ...tooLarge(error.message), ...(error.index === undefined ? {} : { index: error.index }) };
  }
  return { kind: "malformed", reason: bodyError(error) };
}

function tooLarge(message: string): BodyOutcome<never, never> & { kind: "too-large" } {
  return { kind: "too-large", message };
}

/** A scan's error in the words of an answer: the event's index and the byte offset into the body. */
export function bodyError(error: ScanError): ValidationError {
  const where = error.index === undefined ? "" : `event ${error.index}, `;
  return {
    code: VALIDATION_CODE,
    message: `${where}offset ${error.offset}: ${error.message}`,
    ...(error.index === undefined ? {} : { index: error.index }),
  };
}
