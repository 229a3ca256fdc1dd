/** What a scan refuses, and where: an expected outcome, handed back as a value. */

export type ScanErrorKind =
  /** Not JSON at all. */
  | "syntax"
  | "duplicate-key"
  | "forbidden-key"
  | "too-deep"
  | "lone-surrogate"
  /** Overflows a double. */
  | "number-range"
  | "number-length"
  | "byte-order-mark"
  | "not-utf8"
  /** JSON, but not an object where an event must be one. */
  | "not-object"
  /** No event in the body. */
  | "empty"
  | "too-many-events"
  | "event-too-large";

export interface ScanError {
  readonly kind: ScanErrorKind;
  readonly message: string;
  /** The event in which it stands, from 0; absent where no event was begun. */
  readonly index?: number;
  /** Offset into the body, in bytes. */
  readonly offset: number;
}

/** Ends a scan from deep inside it. Never leaves shared/json: each entry turns it into a ScanError. */
export class ScanStop extends Error {
  readonly kind: ScanErrorKind;
  /** Where in the text, in UTF-16 units. */
  readonly at: number;
  constructor(kind: ScanErrorKind, message: string, at: number) {
    super(message);
    this.kind = kind;
    this.at = at;
  }
}

/** The error that ended a scan of `text`. Throws anything that is not a ScanStop. */
export function scanErrorOf(stop: unknown, text: string): ScanError {
  if (!(stop instanceof ScanStop)) throw stop;
  const offset = new TextEncoder().encode(text.slice(0, stop.at)).length;
  return { kind: stop.kind, message: stop.message, offset };
}
