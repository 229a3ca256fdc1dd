/** The answers of usage ingestion, the same from edge and agent. */
import { ERRORS_LISTED_MAX, type ValidationError } from "../events/validation-error.ts";

export type EventStatus = "accepted" | "duplicate" | "conflict" | "quarantined";

export interface EventResult {
  readonly index: number;
  readonly status: EventStatus;
  readonly id: string;
  readonly reasons?: readonly ValidationError[];
}

export interface UsageAnswer {
  readonly success: true;
  readonly message: string;
  readonly accepted: number;
  readonly duplicates: number;
  readonly conflicts: number;
  readonly quarantined: number;
  readonly results?: readonly EventResult[];
}

export interface UsageRefusal {
  readonly success: false;
  readonly message: string;
  readonly reasons: readonly ValidationError[];
}

/** The 200 of a body of events; its four counts add up to the events sent. */
export function usageAnswer(results: readonly EventResult[], representation: boolean): UsageAnswer {
  const count = (status: EventStatus) => results.reduce((sum, result) => sum + (result.status === status ? 1 : 0), 0);
  const accepted = count("accepted");
  return {
    success: true,
    message: `${accepted} of ${results.length} usage events accepted`,
    accepted,
    duplicates: count("duplicate"),
    conflicts: count("conflict"),
    quarantined: count("quarantined"),
    ...(representation ? { results } : {}),
  };
}

/** An error of any operation that is not Solvimon's. Lists the first 100 errors. */
export function usageRefusal(message: string, reasons: readonly ValidationError[] = []): UsageRefusal {
  return { success: false, message, reasons: reasons.slice(0, ERRORS_LISTED_MAX) };
}

/**
 * The refusal of a body of `total` events for what is wrong with some of them.
 * @param invalid how many those are, where the errors do not tell of all.
 */
export function validationRefusal(
  errors: readonly ValidationError[],
  total: number,
  invalid = new Set(errors.map((error) => error.index)).size,
): UsageRefusal {
  const [first] = errors;
  const where = first?.index === undefined ? "" : ` The first: event ${first.index}, ${first.message}.`;
  return usageRefusal(`Data validation failed: ${invalid} of ${total} events; nothing was stored.${where}`, errors);
}
