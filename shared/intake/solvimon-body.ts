/** From the body of a Solvimon operation to checked events, single or in a list. */

import { isDateTime } from "../events/date-time.ts";
import { SOLVIMON, type SolvimonKind } from "../events/kind.ts";
import { checkSolvimonEvent } from "../events/solvimon-fields.ts";
import { type Part, scanJson } from "../json/bodies.ts";
import { OPEN_BRACE } from "../json/characters.ts";
import { countIn } from "../json/count-events.ts";
import { type Member, scanMembers } from "../json/document.ts";
import type { ScanError } from "../json/scan-error.ts";
import { skipSpace } from "../json/skip.ts";
import { SpanList } from "../json/span.ts";
import type { BodyLimits } from "../wire.ts";
import { checkEach } from "./checked-event.ts";
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
  if (bytes.length > limits.bodyBytesMax) return tooManyBytes(limits);
  if (bytes[skipSpace(bytes, 0)] !== OPEN_BRACE) {
    // An array is no event here, and what is no JSON is refused where it fails.
    const scanned = scanJson(bytes, { ...limits, eventsMax: 1 });
    const reason =
      scanned.kind === "invalid" && scanned.error.kind !== "too-many-events" ? reasonOf(scanned.error) : null;
    return malformed(reason?.message ?? "send one JSON object");
  }
  return readList(bytes, { from: 0, to: bytes.length }, { ...limits, eventsMax: 1 }, keep, check);
}

/** Reads a body `{"…_datas":[…],"received_at":[…]?}`. */
export function readSolvimonList<T>(
  bytes: Uint8Array,
  kind: SolvimonKind,
  limits: BodyLimits,
  keep: Keep<T, SolvimonReason>,
  check: Check<SolvimonReason> = solvimonCheck(kind),
): SolvimonBody<T> {
  if (bytes.length > limits.bodyBytesMax) return tooManyBytes(limits);
  const envelope = scanMembers(bytes, 2);
  const member = SOLVIMON[kind].listMember;
  if (envelope.kind === "invalid") return { kind: "malformed", reason: reasonOf(envelope.error) };
  const list = envelope.members.get(member);
  if (list === undefined || !(list.span instanceof SpanList)) {
    return {
      kind: "malformed",
      reason: {
        code: list === undefined ? "MISSING_FIELD" : "INVALID_FIELD",
        message: `${member} must be a list of events`,
        field: member,
      },
    };
  }
  if (countIn(bytes, list.from, list.to) > limits.eventsMax) return tooMany(limits);
  const read = readList(bytes, list, limits, keep, check);
  if (read.kind !== "events") return read;
  const times = receivedTimes(envelope.members.get("received_at"), read.count);
  return times.kind === "malformed" ? times : { ...read, receivedAt: times.times };
}

/** @param part where the events lie in the body. */
function readList<T>(
  bytes: Uint8Array,
  part: Part,
  limits: BodyLimits,
  keep: Keep<T, SolvimonReason>,
  check: Check<SolvimonReason>,
): SolvimonBody<T> {
  const scanned = scanJson(bytes, limits, checkEach(check, keep), part);
  if (scanned.kind === "events") return { ...scanned, receivedAt: null };
  const { error } = scanned;
  if (error.kind === "too-many-events" || countIn(bytes, part.from, part.to) > limits.eventsMax) return tooMany(limits);
  if (error.kind === "event-too-large") return { kind: "too-large", message: error.message };
  return { kind: "malformed", reason: reasonOf(error) };
}

function tooManyBytes({ bodyBytesMax }: BodyLimits): SolvimonBody<never> {
  return { kind: "too-large", message: `the body has more than ${bodyBytesMax} bytes` };
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
  const times = member?.span ?? null;
  if (times === null) return { kind: "times", times: null };
  if (!(times instanceof SpanList) || times.length !== count) {
    return {
      kind: "malformed",
      reason: {
        code: "INVALID_FIELD",
        message: "received_at must be a list with a time for each event",
        field: "received_at",
      },
    };
  }
  const read: string[] = [];
  for (const time of times) {
    if (typeof time === "string" && isDateTime(time)) read.push(time);
    else {
      const field = `received_at.${read.length}`;
      return {
        kind: "malformed",
        reason: { code: "INVALID_FIELD", message: `${field} must be a date-time with offset (ISO 8601)`, field },
      };
    }
  }
  return { kind: "times", times: read };
}
