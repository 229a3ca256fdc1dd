/** The positions that a request's headers name. */
import { type ValidationError, validationError } from "../../shared/events/validation-error.ts";
import { type ProducerOutcome, type ProducerPosition, producerPositionOf } from "../../shared/intake/headers.ts";
import type { HeaderOf } from "../../shared/intake/request.ts";
import { HEADER, POSITION_MAX } from "../../shared/wire.ts";

export function positionOf(header: HeaderOf): ProducerOutcome {
  return producerPositionOf(header(HEADER.producer), header(HEADER.sequence));
}

/** Whether the last of `count` events has a position that is not exact in JSON readers any more. */
export function positionErrors(position: ProducerPosition | null, count: number): ValidationError[] {
  // Not by adding: a sum beyond 2^53 is rounded, and may come out as allowed.
  if (position === null || position.first <= POSITION_MAX - (count - 1)) return [];
  return [validationError("Weir-Sequence and the number of events run past 2^53-1", { field: "Weir-Sequence" })];
}
