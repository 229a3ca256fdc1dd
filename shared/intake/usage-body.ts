/** From a usage stream's body to checked events: the part of intake that edge and agent share. */
import type { EventCheck } from "../events/stream-schema.ts";
import { VALIDATION_CODE, type ValidationError } from "../events/validation-error.ts";
import { scanJson, scanLines } from "../json/bodies.ts";
import { countEvents } from "../json/count-events.ts";
import type { ScanError } from "../json/scan-error.ts";
import type { ScannedEvent } from "../json/scanner.ts";
import { decodeBody } from "../json/utf8.ts";
import type { JsonObject } from "../json/value.ts";
import type { BodyForm, BodyLimits } from "../wire.ts";

export interface CheckedEvent {
  /** Source text, byte for byte. */
  readonly source: string;
  readonly value: JsonObject;
  /** What is wrong with it, with its index in the body; empty for a valid event. */
  readonly faults: readonly ValidationError[];
}

export type BodyOutcome<T = CheckedEvent> =
  | { readonly kind: "events"; readonly events: T[]; readonly faulty: number }
  /** Too large in bytes or events: 413. */
  | { readonly kind: "too-large"; readonly message: string; readonly index?: number }
  /** Not a body of JSON objects: 400 whatever the preference. */
  | { readonly kind: "malformed"; readonly fault: ValidationError };

/**
 * Reads an inflated body and checks each event.
 * Events are counted before they are checked, so a body that is both too long and faulty is too long.
 * @param visit takes each checked event; what it returns is kept in its place. Parsed values are many times
 *   their text, so whoever needs only something of them keeps only that.
 */
export function readUsageBody(bytes: Uint8Array, form: BodyForm, check: EventCheck, limits: BodyLimits): BodyOutcome;
export function readUsageBody<T>(
  bytes: Uint8Array,
  form: BodyForm,
  check: EventCheck,
  limits: BodyLimits,
  visit: (event: CheckedEvent) => T,
): BodyOutcome<T>;
export function readUsageBody(
  bytes: Uint8Array,
  form: BodyForm,
  check: EventCheck,
  limits: BodyLimits,
  visit: (event: CheckedEvent) => unknown = (event) => event,
): BodyOutcome<unknown> {
  if (bytes.length > limits.bodyBytesMax) return tooLarge(`the body has more than ${limits.bodyBytesMax} bytes`);
  const decoded = decodeBody(bytes);
  if (decoded.kind === "invalid") return refuseBody(decoded.error, new TextDecoder().decode(bytes), form, limits);
  let faulty = 0;
  const take = (event: ScannedEvent, index: number) => {
    const checked = checkEvent(event, index, check);
    if (checked.faults.length > 0) faulty++;
    return visit(checked);
  };
  const scanned = form === "json" ? scanJson(decoded.text, limits, take) : scanLines(decoded.text, limits, take);
  if (scanned.kind === "invalid") return refuseBody(scanned.error, decoded.text, form, limits);
  return { kind: "events", events: scanned.events, faulty };
}

function checkEvent(event: ScannedEvent, index: number, check: EventCheck): CheckedEvent {
  const faults = check(event.value);
  return { ...event, faults: faults.length === 0 ? faults : faults.map((fault) => ({ ...fault, index })) };
}

function refuseBody(fault: ScanError, text: string, form: BodyForm, limits: BodyLimits): BodyOutcome<never> {
  if (fault.kind === "too-many-events" || countEvents(text, form) > limits.eventsMax) {
    return tooLarge(`the body has more than ${limits.eventsMax} events`);
  }
  if (fault.kind === "event-too-large") {
    return { ...tooLarge(fault.message), ...(fault.index === undefined ? {} : { index: fault.index }) };
  }
  return { kind: "malformed", fault: bodyError(fault) };
}

function tooLarge(message: string): BodyOutcome<never> & { kind: "too-large" } {
  return { kind: "too-large", message };
}

/** A scan fault in the words of an answer: the event's index and the byte offset into the body. */
export function bodyError(fault: ScanError): ValidationError {
  const where = fault.index === undefined ? "" : `event ${fault.index}, `;
  return {
    code: VALIDATION_CODE,
    message: `${where}offset ${fault.offset}: ${fault.message}`,
    ...(fault.index === undefined ? {} : { index: fault.index }),
  };
}
