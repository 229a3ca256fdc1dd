/** What a call carries, and how it is cut. */
import { type EventRun, sliceRun } from "../buffer/tables/event-run.ts";
import type { FixedShipment } from "../buffer/tables/shipments.ts";
import type { PendingRun } from "../buffer/transactions/read.ts";
import type { Size } from "./batch-size.ts";

/** A run of events that goes as one call, or as several under one fixed shipment. */
export interface Piece {
  readonly run: PendingRun;
  /** As it was fixed on disk; null where positions tell repeats. */
  readonly shipment: FixedShipment | null;
}

export function pieceOf(run: PendingRun, shipment: FixedShipment | null): Piece {
  return { run, shipment };
}

export function countOf({ ends }: EventRun): number {
  return ends.length;
}

/** Events `from` to `to` (exclusive) of a run. */
export function slicePending(run: PendingRun, from: number, to: number): PendingRun {
  return {
    ...run,
    first: run.first + from,
    events: sliceRun(run.events, from, to),
    receivedAt: run.receivedAt.slice(from, to),
  };
}

/** The front half, the larger one of an odd count, and the rear half. */
export function halvesOf(run: PendingRun): PendingRun[] {
  const count = countOf(run.events);
  const middle = Math.ceil(count / 2);
  return [slicePending(run, 0, middle), slicePending(run, middle, count)];
}

/** What is before the event in the middle, that event by itself, and what is after it. */
export function aroundMiddle(run: PendingRun): { readonly middle: PendingRun; readonly rests: PendingRun[] } {
  const count = countOf(run.events);
  const at = Math.floor(count / 2);
  const rests = [slicePending(run, 0, at), slicePending(run, at + 1, count)];
  return { middle: slicePending(run, at, at + 1), rests: rests.filter(({ events }) => countOf(events) > 0) };
}

export function sizeOf(run: PendingRun): Size {
  return { bytes: run.events.body.length + 2, events: countOf(run.events) };
}

export function larger(a: Size | null, b: Size): Size {
  return a === null || b.bytes > a.bytes ? b : a;
}
