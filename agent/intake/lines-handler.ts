/** Accepts lines of NDJSON: as far as they are valid, or every one of them, the bad ones to quarantine. */
import { parseStream } from "../../shared/events/kind.ts";
import type { ValidationError } from "../../shared/events/validation-error.ts";
import type { Reason } from "../../shared/intake/dialect.ts";
import type { BodyLimits } from "../../shared/wire.ts";
import type { Log } from "../buffer/log.ts";
import { packBytes } from "../buffer/tables/event-run.ts";
import { NO_SCOPE } from "../buffer/tables/scope.ts";
import type { TailPosition } from "../buffer/tables/tails.ts";
import type { InvalidEvents } from "../buffer/transactions/append.ts";
import type { Clock } from "../runtime/clock.ts";
import { type AgentDialect, agentSolvimonDialect, agentUsageDialect } from "./agent-dialect.ts";
import { reasonOf } from "./kept-event.ts";
import { type CheckedLine, checkLine } from "./line-check.ts";
import type { Schemas } from "./schemas.ts";

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
  | {
      readonly kind: "accepted";
      readonly accepted: number;
      readonly quarantined: number;
      /** Of the first line that is no blank; null where there is none. */
      readonly firstPosition: number | null;
    }
  /** Lines before `line` (from 0) were accepted, it and those after it were not. */
  | { readonly kind: "bad-line"; readonly line: number; readonly accepted: number; readonly error: ValidationError }
  | { readonly kind: "unknown-stream" }
  | { readonly kind: "full" };

export interface LinesHandlerOptions {
  readonly log: Log;
  readonly schemas: Schemas;
  readonly clock: Clock;
  readonly limits: BodyLimits;
  /** Looks whether the edge has newer schemas. */
  readonly freshen: () => Promise<void>;
  /** Lines went to quarantine; the first one's error. */
  readonly onQuarantined: (stream: string, count: number, first: ValidationError) => void;
}

export type LinesHandler = (request: LinesRequest) => Promise<LinesOutcome>;

export function createLinesHandler(options: LinesHandlerOptions): LinesHandler {
  return async function acceptLines({ stream, lines, lenient, tail }) {
    const checked = await checkLines(stream, lines, options);
    if (checked === null) return { kind: "unknown-stream" };
    const bad = lenient ? undefined : checked.find((line) => line.error !== null);
    const good = bad === undefined ? checked : checked.slice(0, checked.indexOf(bad));
    const invalid = invalidIn(good);
    let firstPosition: number | null = null;
    if (good.length > 0) {
      const outcome = await options.log.append({
        stream,
        scope: NO_SCOPE,
        receivedAt: options.clock.now(),
        events: packBytes(good.map((line) => line.bytes)),
        ...(invalid.reasons.length === 0 ? {} : { invalid }),
        idempotency: null,
        strict: false,
        ...(tail === undefined ? {} : { tail }),
      });
      if (outcome.kind !== "durable") return { kind: "full" };
      firstPosition = outcome.firstPosition;
      const [first] = good.flatMap(({ error }) => error ?? []);
      if (first !== undefined) options.onQuarantined(stream, invalid.reasons.length, first);
    }
    const accepted = good.length - invalid.reasons.length;
    if (bad?.error) return { kind: "bad-line", line: bad.index, accepted, error: bad.error };
    return { kind: "accepted", accepted, quarantined: invalid.reasons.length, firstPosition };
  };
}

/** Those that go to quarantine, each with a reason of its own. */
function invalidIn(lines: readonly CheckedLine[]): InvalidEvents {
  const indexes = lines.flatMap(({ error }, index) => (error === null ? [] : [index]));
  return {
    indexes: Uint32Array.from(indexes),
    which: Uint32Array.from(indexes.keys()),
    reasons: lines.flatMap(({ error }) => (error === null ? [] : [reasonOf(error)])),
  };
}

/** Null for a stream that there is not. */
function checkLines(
  stream: string,
  lines: readonly Uint8Array[],
  { schemas, freshen, limits }: LinesHandlerOptions,
): Promise<CheckedLine[] | null> {
  const parsed = parseStream(stream);
  if (parsed === null) return Promise.resolve(null);
  return parsed.kind === "usage"
    ? checkBy(agentUsageDialect(parsed.meterGlobalId, schemas, freshen), lines, limits)
    : checkBy(agentSolvimonDialect(parsed.kind, "single", schemas), lines, limits);
}

/** Checks again by newer rules before a line is called bad. */
async function checkBy<R extends Reason>(
  dialect: AgentDialect<R>,
  lines: readonly Uint8Array[],
  limits: BodyLimits,
): Promise<CheckedLine[] | null> {
  const check = () => {
    const rules = dialect.rules();
    if (rules === null) return null;
    return lines.flatMap((line, index) => checkLine(line, index, dialect, rules.check, limits) ?? []);
  };
  const before = dialect.rules();
  const checked = check();
  if (checked?.every((line) => line.error === null)) return checked;
  await dialect.freshen();
  return dialect.rules() === before ? checked : check();
}
