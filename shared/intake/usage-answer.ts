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

/** How many events came to what. */
export type EventCounts = Readonly<Record<EventStatus, number>>;

/** Results in order, which may be made only as they are looked at, and their counts where these are known without them. */
export type EventResults = Iterable<EventResult> & { readonly length: number; readonly counts?: EventCounts };

/** The 200 of a body of events; its four counts add up to the events sent. */
export function usageAnswer(results: EventResults, representation: boolean): UsageAnswer {
  const counts = results.counts ?? countsOf(results);
  return {
    success: true,
    message: `${counts.accepted} of ${results.length} events accepted`,
    accepted: counts.accepted,
    duplicates: counts.duplicate,
    conflicts: counts.conflict,
    quarantined: counts.quarantined,
    ...(representation ? { results: [...results] } : {}),
  };
}

function countsOf(results: EventResults): EventCounts {
  const counts = { accepted: 0, duplicate: 0, conflict: 0, quarantined: 0 };
  for (const { status } of results) counts[status]++;
  return counts;
}

/** Characters of an answer that are made at once. */
const PIECE_CHARACTERS = 64 * 1024;

/** As {@link usageAnswer} with its results, as JSON in pieces: of 200,000 events no answer is ever there whole. */
export function* usageAnswerPieces(results: EventResults): Generator<string> {
  let piece = `${JSON.stringify(usageAnswer(results, false)).slice(0, -1)},"results":[`;
  let isFirst = true;
  for (const result of results) {
    piece += `${isFirst ? "" : ","}${JSON.stringify(result)}`;
    isFirst = false;
    if (piece.length < PIECE_CHARACTERS) continue;
    yield piece;
    piece = "";
  }
  yield `${piece}]}`;
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
