/** From a usage stream's body to checked events: the part of intake that edge and agent share. */
import { VALIDATION_CODE, type ValidationError } from "../events/validation-error.ts";
import { scanJson, scanLines } from "../json/bodies.ts";
import { countEvents } from "../json/count-events.ts";
import type { ScanError } from "../json/scan-error.ts";
import type { ScannedEvent } from "../json/scanner.ts";
import { decodeBody } from "../json/utf8.ts";
import type { BodyForm, BodyLimits } from "../wire.ts";
import type { BodyOutcome, Check, CheckedEvent, Keep } from "./dialect.ts";

/**
 * Reads an inflated body and checks each event.
 * Events are counted before they are checked, so a body that is both too long and invalid is too long.
 * @param keep takes each checked event; what it returns is kept in its place. Parsed values are many times
 *   their text, so whoever needs only something of them keeps only that.
 */
export function readUsageBody<T>(
  bytes: Uint8Array,
  form: BodyForm,
  check: Check<ValidationError>,
  limits: BodyLimits,
  keep: Keep<T, ValidationError>,
): BodyOutcome<T, ValidationError> {
  if (bytes.length > limits.bodyBytesMax) return tooLarge(`the body has more than ${limits.bodyBytesMax} bytes`);
  const decoded = decodeBody(bytes);
  if (decoded.kind === "invalid") return refuseBody(decoded.error, new TextDecoder().decode(bytes), form, limits);
  const take = (event: ScannedEvent, index: number) => keep(checkEvent(event, index, check), index);
  const scanned = form === "json" ? scanJson(decoded.text, limits, take) : scanLines(decoded.text, limits, take);
  if (scanned.kind === "invalid") return refuseBody(scanned.error, decoded.text, form, limits);
  return { kind: "events", events: scanned.events, receivedAt: null };
}

function checkEvent<R>({ source, value }: ScannedEvent, index: number, check: Check<R>): CheckedEvent<R> {
  const errors = check(value);
  return { source, value, errors: errors.length === 0 ? errors : errors.map((error) => ({ ...error, index })) };
}

function refuseBody(
  error: ScanError,
  text: string,
  form: BodyForm,
  limits: BodyLimits,
): BodyOutcome<never, ValidationError> {
  if (error.kind === "too-many-events" || countEvents(text, form) > limits.eventsMax) {
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
