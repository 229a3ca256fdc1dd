/** Takes lines of NDJSON in: as far as they are good, or every one of them, the bad ones to quarantine. */
import { parseStream } from "../../shared/events/kind.ts";
import type { ValidationError } from "../../shared/events/validation-error.ts";
import type { BodyLimits } from "../../shared/wire.ts";
import type { Log } from "../buffer/log.ts";
import { packBytes } from "../buffer/tables/event-run.ts";
import { NO_SCOPE } from "../buffer/tables/scope.ts";
import type { TailPosition } from "../buffer/tables/tails.ts";
import type { AppendInput } from "../buffer/transactions/append.ts";
import type { Clock } from "../runtime/clock.ts";
import { type CheckedLine, checkSolvimonLine, checkUsageLine } from "./line-check.ts";
import type { KnownMeter, Schemas } from "./schemas.ts";
import { reasonOf } from "./usage-door.ts";

export interface LinesRequest {
  /** A stream's name, say usage/METER or persist. */
  readonly stream: string;
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
  | { readonly kind: "bad-line"; readonly line: number; readonly accepted: number; readonly fault: ValidationError }
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
  return async function takeLines({ stream, lines, lenient, tail }) {
    const checked = await checkLines(stream, lines, options);
    if (checked === null) return { kind: "unknown-stream" };
    const bad = lenient ? undefined : checked.find((line) => line.fault !== null);
    const good = bad === undefined ? checked : checked.slice(0, checked.indexOf(bad));
    const faulty = good.flatMap(({ fault }, index) => (fault === null ? [] : [{ index, reason: reasonOf(fault) }]));
    if (good.length > 0) {
      const outcome = await options.log.append({
        stream,
        scope: NO_SCOPE,
        receivedAt: options.clock.now(),
        events: packBytes(good.map((line) => line.bytes)),
        faulty: faulty satisfies AppendInput["faulty"],
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

/** Checks again by newer schemas before a line is called bad; null for a stream that there is not. */
async function checkLines(
  stream: string,
  lines: readonly Uint8Array[],
  { schemas, freshen, limits }: LinesDoorOptions,
): Promise<CheckedLine[] | null> {
  const parsed = parseStream(stream);
  if (parsed === null) return null;
  if (parsed.kind !== "usage") {
    return lines.flatMap((line, index) => checkSolvimonLine(line, index, parsed.kind, limits) ?? []);
  }
  const checkBy = (meter: KnownMeter) =>
    lines.flatMap((line, index) => checkUsageLine(line, index, meter.check, limits) ?? []);
  const before = schemas.meter(parsed.meterGlobalId);
  const checked = before === null ? null : checkBy(before);
  if (checked?.every((line) => line.fault === null)) return checked;
  await freshen();
  const current = schemas.meter(parsed.meterGlobalId);
  if (current === null) return null;
  return current === before ? checked : checkBy(current);
}
