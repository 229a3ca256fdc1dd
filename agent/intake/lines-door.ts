/** Takes lines of NDJSON in: as far as they are good, or every one of them, the bad ones to quarantine. */
import { usageStream } from "../../shared/events/kind.ts";
import { type Fault, validationFault } from "../../shared/fault.ts";
import { readUsageBody } from "../../shared/intake/usage-body.ts";
import type { BodyLimits } from "../../shared/wire.ts";
import { packBytes } from "../buffer/event-run.ts";
import type { Log } from "../buffer/log.ts";
import type { AppendOperation, TailPosition } from "../buffer/operations.ts";
import type { Clock } from "../clock.ts";
import type { KnownMeter, Schemas } from "./schemas.ts";
import { reasonOf } from "./usage-door.ts";

export interface LinesRequest {
  readonly meterGlobalId: string;
  /** Lines without their newline; blank ones are passed over. */
  readonly lines: readonly Uint8Array[];
  /** Quarantine bad lines, also those that are no JSON, and go on. */
  readonly lenient: boolean;
  /** Where the lines were read from, kept in the same transaction. */
  readonly tail?: TailPosition;
}

export type LinesOutcome =
  | { readonly kind: "taken"; readonly accepted: number; readonly quarantined: number }
  /** Lines before `line` (from 0) were taken, it and those after it were not. */
  | { readonly kind: "bad-line"; readonly line: number; readonly accepted: number; readonly fault: Fault }
  | { readonly kind: "unknown-stream" }
  | { readonly kind: "full" };

export interface LinesDoorOptions {
  readonly log: Log;
  readonly schemas: Schemas;
  readonly clock: Clock;
  readonly limits: BodyLimits;
  /** Looks whether the edge has newer schemas. */
  readonly freshen: () => Promise<void>;
}

export type LinesDoor = (request: LinesRequest) => Promise<LinesOutcome>;

export function createLinesDoor(options: LinesDoorOptions): LinesDoor {
  return async function takeLines({ meterGlobalId, lines, lenient, tail }) {
    const checked = await checkLines(meterGlobalId, lines, options);
    if (checked === null) return { kind: "unknown-stream" };
    const bad = lenient ? undefined : checked.find((line) => line.fault !== null);
    const good = bad === undefined ? checked : checked.slice(0, checked.indexOf(bad));
    const faulty = good.flatMap(({ fault }, index) => (fault === null ? [] : [{ index, reason: reasonOf(fault) }]));
    if (good.length > 0) {
      const outcome = await options.log.append({
        stream: usageStream(meterGlobalId),
        scope: { entityIds: null, orgIds: null },
        receivedAt: options.clock.now(),
        events: packBytes(good.map((line) => line.bytes)),
        faulty: faulty satisfies AppendOperation["faulty"],
        idempotency: null,
        strict: false,
        ...(tail === undefined ? {} : { tail }),
      });
      if (outcome.kind !== "durable") return { kind: "full" };
    }
    const accepted = good.length - faulty.length;
    if (bad?.fault) return { kind: "bad-line", line: bad.index, accepted, fault: bad.fault };
    return { kind: "taken", accepted, quarantined: faulty.length };
  };
}

/** Checks again by newer schemas before a line is called bad; null for a meter that the edge does not have. */
async function checkLines(
  meterGlobalId: string,
  lines: readonly Uint8Array[],
  { schemas, freshen, limits }: LinesDoorOptions,
): Promise<CheckedLine[] | null> {
  const checkBy = (meter: KnownMeter) => lines.flatMap((line, index) => checkLine(line, index, meter, limits) ?? []);
  const before = schemas.meter(meterGlobalId);
  const checked = before === null ? null : checkBy(before);
  if (checked?.every((line) => line.fault === null)) return checked;
  await freshen();
  const current = schemas.meter(meterGlobalId);
  if (current === null) return null;
  return current === before ? checked : checkBy(current);
}

interface CheckedLine {
  readonly index: number;
  /** The event's source, or of a bad line all there is. */
  readonly bytes: Uint8Array;
  readonly fault: Fault | null;
}

const BLANK = /^[ \t\r\n]*$/;

/** Null for a blank line. */
function checkLine(bytes: Uint8Array, index: number, meter: KnownMeter, limits: BodyLimits): CheckedLine | null {
  if (bytes.length < 64 && BLANK.test(Buffer.from(bytes).toString("latin1"))) return null;
  const read = readUsageBody(bytes, "ndjson", meter.check, limits);
  if (read.kind === "too-large") return { index, bytes, fault: validationFault(read.message) };
  if (read.kind === "malformed") return { index, bytes, fault: withoutIndex(read.fault) };
  const [event] = read.events;
  if (event === undefined) return null;
  const [fault] = event.faults;
  return { index, bytes: Buffer.from(event.source, "utf8"), fault: fault === undefined ? null : withoutIndex(fault) };
}

/** A line is a body of its own here, and its index there would say nothing. */
function withoutIndex({ code, message, field }: Fault): Fault {
  return { code, message, ...(field === undefined ? {} : { field }) };
}
