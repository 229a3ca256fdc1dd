/** Event texts as one run of bytes, cut and joined without ever looking inside them. */
import type { DigestSum } from "../../../shared/ledger-digest.ts";

/** The code of a reason for quarantine: the event lay in a run that changed on disk, and may have changed itself. */
export const DAMAGED = "DAMAGED";

/** Event texts laid end to end with a comma between, so that any run of them is one slice. */
export interface EventRun {
  readonly body: Uint8Array;
  /** Offset just after each event. */
  readonly ends: Uint32Array;
}

const COMMA = 0x2c;
const SEPARATOR_BYTES = 1;
const SPARE_BYTES_MAX = 1;

/**
 * Lays events of one body end to end, a comma between. The body is used up: they move together where they are, so that a
 * large body is never there twice.
 * @param spans two offsets for each event, in order: where it begins and ends; a byte at least lies between two.
 */
export function packSpans(bytes: Uint8Array, spans: ArrayLike<number>): EventRun {
  // One event that is all of its body lies where it should.
  if (spans.length === 2 && spans[0] === 0 && spans[1] === bytes.length && isOwn(bytes)) {
    return { body: bytes, ends: Uint32Array.of(bytes.length) };
  }
  const ends = new Uint32Array(spans.length / 2);
  let end = 0;
  for (let event = 0; event < ends.length; event++) {
    const [from = 0, to = 0] = [spans[2 * event], spans[2 * event + 1]];
    if (event > 0) bytes[end++] = COMMA;
    bytes.copyWithin(end, from, to);
    end += to - from;
    ends[event] = end;
  }
  // Never a part of something larger: what is handed to the log's thread must be all its own.
  return {
    body: isOwn(bytes) ? new Uint8Array(bytes.buffer.transfer(end)) : Uint8Array.prototype.slice.call(bytes, 0, end),
    ends,
  };
}

/** Lays events end to end, a comma between; their bytes need not be text. */
export function packBytes(sources: readonly Uint8Array[]): EventRun {
  return joinRuns(sources.map(runOf));
}

/** Where event `index` begins. */
function startOf(run: EventRun, index: number): number {
  return index === 0 ? 0 : (run.ends[index - 1] ?? 0) + 1;
}

/** The bytes of event `index`, a view. */
export function eventBytes(run: EventRun, index: number): Uint8Array {
  return run.body.subarray(startOf(run, index), run.ends[index]);
}

/** Adds a run's events to a ledger's digest. @param first the position of its first one. */
export function addRun(digest: DigestSum, first: number, { body, ends }: EventRun): void {
  let from = 0;
  for (let event = 0; event < ends.length; event++) {
    const to = ends[event] ?? 0;
    digest.addEvent(first + event, body, from, to);
    from = to + SEPARATOR_BYTES;
  }
}

/** Events `from` to `to` (exclusive), a view of the same bytes. */
export function sliceRun(run: EventRun, from: number, to: number): EventRun {
  if (from === 0 && to === run.ends.length) return run;
  const start = startOf(run, from);
  const ends = run.ends.slice(from, to);
  for (let i = 0; i < ends.length; i++) ends[i] = (ends[i] ?? 0) - start;
  return { body: run.body.subarray(start, start + (ends.at(-1) ?? 0)), ends };
}

/** One event as a run. */
export function runOf(event: Uint8Array): EventRun {
  return { body: event, ends: Uint32Array.of(event.length) };
}

/** Several runs as one. */
export function joinRuns(runs: readonly EventRun[]): EventRun {
  const [only] = runs;
  if (only !== undefined && runs.length === 1) return only;
  const bytes = runs.reduce((sum, run) => sum + run.body.length + 1, -1);
  const body = new Uint8Array(Math.max(bytes, 0));
  const ends = new Uint32Array(runs.reduce((sum, run) => sum + run.ends.length, 0));
  let at = 0;
  let event = 0;
  for (const run of runs) {
    if (event > 0) body[at++] = COMMA;
    body.set(run.body, at);
    for (const end of run.ends) ends[event++] = at + end;
    at += run.body.length;
  }
  return { body, ends };
}

/** How many leading events fit into `bytesMax` and `eventsMax`; one always does, so that none is stuck. */
export function countFitting(run: EventRun, from: number, bytesMax: number, eventsMax: number): number {
  const start = startOf(run, from);
  let count = 0;
  while (from + count < run.ends.length && count < eventsMax) {
    if (count > 0 && (run.ends[from + count] ?? 0) - start > bytesMax) break;
    count++;
  }
  return Math.max(count, 1);
}

/**
 * Frees bytes that nobody will look at again, at once: left to the collector they would pile up to many times what is
 * in use, since it counts objects and these are few. A view of something larger is left alone.
 */
export function freeBytes(view: Uint8Array | Uint32Array): void {
  if (view.byteLength > 0 && isOwn(view)) view.buffer.transfer(0);
}

/** Whether a view is of all its buffer, so that nobody else looks at it. */
function isOwn(view: Uint8Array | Uint32Array): view is Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = view;
  // What inflates a body leaves a byte behind it, by which it finds more than was told.
  return buffer instanceof ArrayBuffer && byteOffset === 0 && buffer.byteLength - byteLength <= SPARE_BYTES_MAX;
}
