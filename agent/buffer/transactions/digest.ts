/**
 * The digest of a stream as an edge must have it that holds some of the stream's positions: what was taken in, less what
 * is not there, and a corrected event as it was sent.
 */
import { DigestSum, type LedgerDigest } from "../../../shared/ledger-digest.ts";
import { addRun, type EventRun, sliceRun } from "../tables/event-run.ts";
import type { Context } from "./context.ts";
import type { PositionRange } from "./positions.ts";

export interface DigestInput {
  readonly stream: string;
  /** What the edge holds: ranges in order, ends inclusive. */
  readonly taken: readonly PositionRange[];
}

export interface DigestOutcome {
  readonly kind: "digest";
  /**
   * Null where it cannot be said: the stream is older than its digest, the edge holds positions that were never given, an
   * event changed on disk, the events that are not there are no longer kept, or too many to read.
   */
  readonly digest: LedgerDigest | null;
}

const UNKNOWN: DigestOutcome = { kind: "digest", digest: null };

/** Events that are read for one answer: about a tenth of a second, in which nothing is committed. */
const READ_MAX = 200_000;

export function digest(tables: Context, { stream: name, taken }: DigestInput): DigestOutcome {
  const stream = tables.streams.find(name);
  if (stream === null) return UNKNOWN;
  const last = stream.nextPosition - 1;
  const whole = tables.streams.digest(stream.id);
  if (whole.count !== last || (taken.at(-1)?.[1] ?? 0) > last) return UNKNOWN;
  const absent = positionsBeside(taken, last);
  if (absent === null) return UNKNOWN;
  const sum = new DigestSum();
  sum.add(whole);
  for (const { position, taken: event, sent } of tables.quarantine.histories(stream.id)) {
    if (event === null) return UNKNOWN;
    if (absent.delete(position)) sum.subtract(digestOf(position, event));
    else if (sent !== null) {
      sum.subtract(digestOf(position, event));
      sum.add(digestOf(position, sent));
    }
  }
  for (const { first, run } of keptRuns(tables, stream.id, absent)) sum.subtract(digestOfAbsent(first, run, absent));
  return absent.size === 0 ? { kind: "digest", digest: sum.value } : UNKNOWN;
}

/** The positions up to the last that are in none of the ranges; null where they are too many. */
function positionsBeside(taken: readonly PositionRange[], last: number): Set<number> | null {
  const absent = new Set<number>();
  let next = 1;
  for (const [first, end] of [...taken, [last + 1, last + 1] as const]) {
    if (first - next > READ_MAX - absent.size) return null;
    for (; next < first; next++) absent.add(next);
    next = end + 1;
  }
  return absent;
}

/** The rows in which events at those positions lie: waiting, in a row of which others wait, or retained. */
function* keptRuns(
  { batches, retained }: Context,
  stream: number,
  absent: ReadonlySet<number>,
): Generator<{ readonly first: number; readonly run: EventRun }> {
  for (const [from, last] of rangesOf(absent)) {
    for (const head of batches.heads(stream, from, last, last - from + 1)) {
      const { events, sound } = batches.events(head.batch);
      if (sound) yield { first: head.first, run: sliceRun(events, head.skip, head.skip + head.count) };
    }
    for (const { batch, first } of batches.written(stream, from, last)) {
      const { events, sound } = batches.events(batch);
      if (sound) yield { first, run: events };
    }
    for (const { first, events } of retained.find(stream, from, last)) yield { first, run: events };
  }
}

function rangesOf(positions: ReadonlySet<number>): [number, number][] {
  const ranges: [number, number][] = [];
  for (const position of positions) {
    const range = ranges.at(-1);
    if (range?.[1] === position - 1) range[1] = position;
    else ranges.push([position, position]);
  }
  return ranges;
}

/** Of a run's events those that are absent still, which they are no longer then. */
function digestOfAbsent(first: number, run: EventRun, absent: Set<number>): LedgerDigest {
  const sum = new DigestSum();
  for (let event = 0; event < run.ends.length; event++) {
    if (absent.delete(first + event)) addRun(sum, first + event, sliceRun(run, event, event + 1));
  }
  return sum.value;
}

function digestOf(position: number, event: Uint8Array): LedgerDigest {
  const sum = new DigestSum();
  sum.addEvent(position, event, 0, event.length);
  return sum.value;
}
