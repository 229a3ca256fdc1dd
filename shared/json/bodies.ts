/** Bodies that hold events: one object, an array of them, or one a line. */
import { CLOSE_BRACKET, COMMA, OPEN_BRACKET } from "./characters.ts";
import { endOfLine } from "./lines.ts";
import { type ScanError, ScanStop, scanErrorOf } from "./scan-error.ts";
import { type ScanLimits, type ScannedEvent, Scanner } from "./scanner.ts";

export type ScanOutcome<T = ScannedEvent> =
  | { readonly kind: "events"; readonly events: T[] }
  | { readonly kind: "invalid"; readonly error: ScanError };

/** Takes each event as it is found; what it returns is kept in its place, so that parsed values need not be. */
export type Visit<T> = (event: ScannedEvent, index: number) => T;

/**
 * Scans a body of one object or one array of objects.
 * @returns every event with its source slice, or the first error with the event's index and byte offset.
 */
export function scanJson(text: string, limits: ScanLimits): ScanOutcome;
export function scanJson<T>(text: string, limits: ScanLimits, visit: Visit<T>): ScanOutcome<T>;
export function scanJson(
  text: string,
  limits: ScanLimits,
  visit: Visit<unknown> = (event) => event,
): ScanOutcome<unknown> {
  return scanWith(text, limits, visit, (scanner, take) => {
    scanner.space();
    if (scanner.position === text.length) throw new ScanStop("empty", "the body holds no event", scanner.position);
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
    if (scanner.position < text.length) throw scanner.unexpected(scanner.position, "the end of the body");
  });
}

/** Scans a body of one object a line; blank lines are passed over, the last newline may be missing. */
export function scanLines(text: string, limits: ScanLimits): ScanOutcome;
export function scanLines<T>(text: string, limits: ScanLimits, visit: Visit<T>): ScanOutcome<T>;
export function scanLines(
  text: string,
  limits: ScanLimits,
  visit: Visit<unknown> = (event) => event,
): ScanOutcome<unknown> {
  return scanWith(text, limits, visit, (scanner, take) => {
    let lineStart = 0;
    while (lineStart < text.length) {
      const lineEnd = endOfLine(text, lineStart);
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
  text: string,
  limits: ScanLimits,
  visit: Visit<T>,
  run: (scanner: Scanner, take: () => void) => void,
): ScanOutcome<T> {
  const scanner = new Scanner(text, limits);
  const events: T[] = [];
  try {
    scanner.refuseByteOrderMark();
    run(scanner, () => events.push(visit(scanner.event(), events.length)));
    return { kind: "events", events };
  } catch (stop) {
    const error = scanErrorOf(stop, text);
    return { kind: "invalid", error: scanner.began > 0 ? { ...error, index: scanner.began - 1 } : error };
  }
}
