/** Bodies that hold events: one object, an array of them, or one a line. */
import { CLOSE_BRACKET, COMMA, OPEN_BRACKET } from "./characters.ts";
import { endOfLine } from "./lines.ts";
import { type ScanError, ScanStop, scanErrorOf } from "./scan-error.ts";
import type { ScannedEvent } from "./scanned-event.ts";
import { type ScanLimits, Scanner } from "./scanner.ts";
import { Source } from "./source.ts";

export type ScanOutcome<T = ScannedEvent> =
  /** `events` is empty where nothing is kept of them. */
  | { readonly kind: "events"; readonly events: T[]; readonly count: number }
  | { readonly kind: "invalid"; readonly error: ScanError };

/**
 * Takes each event as it is found; what it returns is kept in its place, unless that is nothing. The event is only good until
 * it returns: then it becomes the next one.
 */
export type Visit<T> = (event: ScannedEvent, index: number) => T;

/** A part of a body, in bytes. */
export interface Part {
  readonly from: number;
  readonly to: number;
}

/**
 * Scans a body of one object or one array of objects.
 * @param part where in the body that lies; all of it where nothing is said.
 * @returns every event with its source slice, or the first error with the event's index and byte offset.
 */
export function scanJson(body: string | Uint8Array, limits: ScanLimits): ScanOutcome;
export function scanJson<T>(
  body: string | Uint8Array,
  limits: ScanLimits,
  visit: Visit<T>,
  part?: Part,
): ScanOutcome<T>;
export function scanJson(
  body: string | Uint8Array,
  limits: ScanLimits,
  visit: Visit<unknown> = keepEvent,
  part?: Part,
): ScanOutcome<unknown> {
  return scanWith(body, limits, visit, (scanner, take) => {
    if (part !== undefined) {
      scanner.position = part.from;
      scanner.end = part.to;
    }
    scanner.space();
    if (scanner.position === scanner.end) throw new ScanStop("empty", "the body holds no event", scanner.position);
    if (scanner.peek() !== OPEN_BRACKET) {
      take();
    } else {
      scanner.position++;
      scanner.space();
      if (scanner.peek() === CLOSE_BRACKET) throw new ScanStop("empty", "the array holds no event", scanner.position);
      for (;;) {
        scanner.space();
        take();
        scanner.space();
        const next = scanner.peek();
        scanner.position++;
        if (next === CLOSE_BRACKET) break;
        if (next !== COMMA) throw scanner.unexpected(scanner.position - 1, "',' or ']'");
      }
    }
    scanner.space();
    if (scanner.position < scanner.end) throw scanner.unexpected(scanner.position, "the end of the body");
  });
}

const keepEvent: Visit<ScannedEvent> = (event) => event.kept();

/** Scans a body of one object a line; blank lines are passed over, the last newline may be missing. */
export function scanLines(body: string | Uint8Array, limits: ScanLimits): ScanOutcome;
export function scanLines<T>(body: string | Uint8Array, limits: ScanLimits, visit: Visit<T>): ScanOutcome<T>;
export function scanLines(
  body: string | Uint8Array,
  limits: ScanLimits,
  visit: Visit<unknown> = keepEvent,
): ScanOutcome<unknown> {
  return scanWith(body, limits, visit, (scanner, take) => {
    const { bytes } = scanner;
    let lineStart = 0;
    while (lineStart < bytes.length) {
      const lineEnd = endOfLine(bytes, lineStart);
      scanner.position = lineStart;
      scanner.end = lineEnd;
      scanner.space();
      if (scanner.position < lineEnd) {
        take();
        scanner.space();
        if (scanner.position < lineEnd) throw scanner.unexpected(scanner.position, "the end of the line");
      }
      lineStart = lineEnd + 1;
    }
    if (scanner.began === 0) throw new ScanStop("empty", "the body holds no event", 0);
  });
}

function scanWith<T>(
  body: string | Uint8Array,
  limits: ScanLimits,
  visit: Visit<T>,
  run: (scanner: Scanner, take: () => void) => void,
): ScanOutcome<T> {
  const source = new Source(body);
  const scanner = new Scanner(source, limits);
  const events: T[] = [];
  let count = 0;
  try {
    scanner.refuseByteOrderMark();
    run(scanner, () => {
      const kept = visit(scanner.event(), count++);
      // Of a million events a list of nothing would be megabytes.
      if (kept !== undefined) events.push(kept);
    });
    return { kind: "events", events, count };
  } catch (stop) {
    const error = scanErrorOf(stop, source);
    const hasIndex = scanner.began > 0 && error.kind !== "not-utf8";
    return { kind: "invalid", error: hasIndex ? { ...error, index: scanner.began - 1 } : error };
  }
}
