/**
 * One thing wrong with a request or an event, said so that its sender can mend it.
 * An expected outcome, so it travels as a value; exceptions are for what nobody expected.
 */
export interface ValidationError {
  /** 70000000 where data fails validation, 70000009 for a conflict (Zuora's own numbers start there). */
  readonly code: number;
  readonly message: string;
  /** Which event of the body, from 0. */
  readonly index?: number;
  /** Which field of the event, dotted. */
  readonly field?: string;
}

/** Zuora Mediation's code for data that fails validation. */
export const VALIDATION_CODE = 70000000;

/** Weir's code for an identity that was accepted before with other content. */
export const CONFLICT_CODE = 70000009;

/** At most this many errors are listed in one answer. */
export const ERRORS_LISTED_MAX = 100;

export function validationError(message: string, where: { index?: number; field?: string } = {}): ValidationError {
  return { code: VALIDATION_CODE, message, ...where };
}
