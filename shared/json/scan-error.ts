/** What a scan refuses, and where: an expected outcome, handed back as a value. */
import type { Source } from "./source.ts";
import { invalidUtf8At, NOT_UTF8 } from "./utf8-sequence.ts";

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
  /** Where in the body, in bytes. */
  readonly at: number;
  constructor(kind: ScanErrorKind, message: string, at: number) {
    super(message);
    this.kind = kind;
    this.at = at;
  }
}

/**
 * The error that ended a scan: that the body is no UTF-8, wherever, before anything else. Throws what is not a ScanStop.
 */
export function scanErrorOf(stop: unknown, { bytes, isBytes }: Source): ScanError {
  if (!(stop instanceof ScanStop)) throw stop;
  const invalidAt = isBytes ? invalidUtf8At(bytes) : -1;
  if (invalidAt >= 0) return { kind: "not-utf8", message: NOT_UTF8, offset: invalidAt };
  return { kind: stop.kind, message: stop.message, offset: stop.at };
}
