/** Tells the agent's log of events that were not accepted as they were sent. */
import type { Logger } from "pino";
import type { ValidationError } from "../../shared/events/validation-error.ts";
import { createRefusalLog, type RefusalLog } from "../../shared/intake/refusal-log.ts";
import { type FirstReason, reasonOf, refusedIn } from "../../shared/intake/refused-events.ts";
import type { Rejected } from "../buffer/transactions/settle.ts";
import type { Clock } from "../runtime/clock.ts";
import type { IngestHost } from "./ingest.ts";

export function openRefusalLog(logger: Logger, clock: Clock): RefusalLog {
  return createRefusalLog((line) => logger.warn(line, "events were refused"), clock.tick);
}

/** Tells of the refusals among what requests come to. */
export function noteOutcomes(refusals: RefusalLog): NonNullable<IngestHost["note"]> {
  return (stream, outcome) => {
    const refused = refusedIn(outcome);
    if (refused !== null) refusals.note({ stream }, refused);
  };
}

/** Tells of lines that went to quarantine as they were read. */
export function noteLines(refusals: RefusalLog, stream: string, count: number, error: ValidationError): void {
  noteQuarantined(refusals, stream, count, reasonOf("not valid", error));
}

/** Tells of events that the destination refused, or had already with other content: its own words may repeat them. */
export function noteRejected(refusals: RefusalLog, stream: string, rejected: readonly Rejected[]): void {
  const [first] = rejected;
  if (first === undefined) return;
  const { status, code, field } = first.reason;
  noteQuarantined(refusals, stream, rejected.length, {
    ...{ why: `the destination answered ${status}` },
    ...(code === undefined ? {} : { code }),
    ...(field === undefined ? {} : { field }),
  });
}

function noteQuarantined(refusals: RefusalLog, stream: string, quarantined: number, first: FirstReason): void {
  refusals.note({ stream }, { refused: 0, conflicts: 0, quarantined, first });
}
