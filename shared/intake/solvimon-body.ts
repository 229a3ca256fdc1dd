/** From the body of a Solvimon operation to checked events, single or in a list. */

import { isDateTime } from "../events/date-time.ts";
import { SOLVIMON, type SolvimonKind } from "../events/kind.ts";
import { checkSolvimonEvent } from "../events/solvimon-fields.ts";
import { scanJson } from "../json/bodies.ts";
import { countEvents } from "../json/count-events.ts";
import { type Member, scanMembers } from "../json/document.ts";
import type { ScanError } from "../json/scan-error.ts";
import { decodeBody } from "../json/utf8.ts";
import type { BodyLimits } from "../wire.ts";
import type { BodyOutcome, Check, CheckedEvent, Keep } from "./dialect.ts";
import type { SolvimonReason } from "./solvimon-answer.ts";
import { bodyError } from "./usage-body.ts";

export type SolvimonEvent = CheckedEvent<SolvimonReason>;
export type SolvimonBody<T> = BodyOutcome<T, SolvimonReason>;

/** The vendor's own rules for events of a kind. */
export function solvimonCheck(kind: SolvimonKind): Check<SolvimonReason> {
  return (event) => checkSolvimonEvent(kind, event);
}

/** Reads a body that is one event. */
export function readSolvimonEvent<T>(
  bytes: Uint8Array,
  kind: SolvimonKind,
  limits: BodyLimits,
  keep: Keep<T, SolvimonReason>,
  check: Check<SolvimonReason> = solvimonCheck(kind),
): SolvimonBody<T> {
  const text = textOf(bytes, limits);
  if (typeof text !== "string") return text;
  if (!/^[ \t\r\n]*\{/.test(text)) {
    // An array is no event here, and what is no JSON is refused where it fails.
    const scanned = scanJson(text, { ...limits, eventsMax: 1 });
    const reason =
      scanned.kind === "invalid" && scanned.error.kind !== "too-many-events" ? reasonOf(scanned.error) : null;
    return malformed(reason?.message ?? "send one JSON object");
  }
  return readList(text, { ...limits, eventsMax: 1 }, keep, check, 0);
}

/** Reads a body `{"…_datas":[…],"received_at":[…]?}`. */
export function readSolvimonList<T>(
  bytes: Uint8Array,
  kind: SolvimonKind,
  limits: BodyLimits,
  keep: Keep<T, SolvimonReason>,
  check: Check<SolvimonReason> = solvimonCheck(kind),
): SolvimonBody<T> {
  const text = textOf(bytes, limits);
  if (typeof text !== "string") return text;
  const envelope = scanMembers(text, 2);
  const member = SOLVIMON[kind].listMember;
  if (envelope.kind === "invalid") return { kind: "malformed", reason: reasonOf(envelope.error) };
  const list = envelope.members.get(member);
  if (list === undefined || !Array.isArray(list.value)) {
    return {
      kind: "malformed",
      reason: {
        code: list === undefined ? "MISSING_FIELD" : "INVALID_FIELD",
        message: `${member} must be a list of events`,
        field: member,
      },
    };
  }
  if (list.value.length > limits.eventsMax) return tooMany(limits);
  const read = readList(list.source, limits, keep, check, list.start);
  if (read.kind !== "events") return read;
  const times = receivedTimes(envelope.members.get("received_at"), read.events.length);
  return times.kind === "malformed" ? times : { ...read, receivedAt: times.times };
}

function textOf(
  bytes: Uint8Array,
  limits: BodyLimits,
): string | (SolvimonBody<never> & { kind: "too-large" | "malformed" }) {
  if (bytes.length > limits.bodyBytesMax)
    return { kind: "too-large", message: `the body has more than ${limits.bodyBytesMax} bytes` };
  const decoded = decodeBody(bytes);
  return decoded.kind === "text" ? decoded.text : { kind: "malformed", reason: reasonOf(decoded.error) };
}

/** @param base where the text stands in the body, for the offsets of errors. */
function readList<T>(
  text: string,
  limits: BodyLimits,
  keep: Keep<T, SolvimonReason>,
  check: Check<SolvimonReason>,
  base: number,
): SolvimonBody<T> {
  const scanned = scanJson(text, limits, ({ source, value }, index) =>
    keep({ source, value, errors: check(value).map((reason) => ({ ...reason, index })) }, index),
  );
  if (scanned.kind === "events") return { kind: "events", events: scanned.events, receivedAt: null };
  const { error } = scanned;
  if (error.kind === "too-many-events" || countEvents(text, "json") > limits.eventsMax) return tooMany(limits);
  if (error.kind === "event-too-large") return { kind: "too-large", message: error.message };
  return { kind: "malformed", reason: reasonOf({ ...error, offset: error.offset + base }) };
}

function tooMany(limits: BodyLimits): SolvimonBody<never> {
  return { kind: "too-large", message: `the body has more than ${limits.eventsMax} events` };
}

function malformed(message: string): SolvimonBody<never> {
  return { kind: "malformed", reason: { code: "BAD_REQUEST", message } };
}

function reasonOf(error: ScanError): SolvimonReason {
  const { message, index } = bodyError(error);
  return { code: "BAD_REQUEST", message, ...(index === undefined ? {} : { index }) };
}

/** When an agent on the way first received each event; what fills an absent timestamp. */
function receivedTimes(
  member: Member | undefined,
  count: number,
):
  | { readonly kind: "times"; readonly times: readonly string[] | null }
  | { readonly kind: "malformed"; readonly reason: SolvimonReason } {
  if (member === undefined || member.value === null) return { kind: "times", times: null };
  const times = Array.isArray(member.value) ? member.value : [];
  if (times.length !== count) {
    return {
      kind: "malformed",
      reason: {
        code: "INVALID_FIELD",
        message: "received_at must be a list with a time for each event",
        field: "received_at",
      },
    };
  }
  const wrong = times.findIndex((time) => typeof time !== "string" || !isDateTime(time));
  if (wrong >= 0) {
    const field = `received_at.${wrong}`;
    return {
      kind: "malformed",
      reason: { code: "INVALID_FIELD", message: `${field} must be a date-time with offset (ISO 8601)`, field },
    };
  }
  return { kind: "times", times: times.map(String) };
}
