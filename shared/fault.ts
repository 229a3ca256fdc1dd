/**
 * One thing wrong with a request or an event, said so that its sender can mend it.
 * Faults are expected outcomes and travel as values; exceptions are for what nobody expected.
 */
export interface Fault {
  /** 70000000 for a validation fault, 70000009 for a conflict (Zuora's own numbers start there). */
  readonly code: number;
  readonly message: string;
  /** Which event of the body, from 0. */
  readonly index?: number;
  /** Which field of the event, dotted. */
  readonly field?: string;
}

/** Zuora Mediation's code for data that fails validation. */
export const VALIDATION_FAULT = 70000000;

/** Weir's code for an identity that was taken before with other content. */
export const CONFLICT_FAULT = 70000009;

/** At most this many faults are listed in one answer. */
export const FAULTS_LISTED_MAX = 100;

export function validationFault(message: string, where: { index?: number; field?: string } = {}): Fault {
  return { code: VALIDATION_FAULT, message, ...where };
}
