/** What waits in each stream, and which stream is served next. Pure but for reading the log's ledgers. */
import type { Log } from "../buffer/log.ts";
import type { StreamLedger } from "../buffer/tables/streams.ts";
import type { ShipmentRange } from "./in-flight.ts";
import type { UploadSettings } from "./settings.ts";

/** What the uploader keeps for each stream that has something pending. */
export interface Lane {
  readonly stream: string;
  readonly inFlight: ShipmentRange[];
  /** When what waits here is sent even if it fills no shipment; null while nothing waits. */
  dueAt: number | null;
  /** When a stream that is not wanted is tried again. */
  pausedUntil: number | null;
}

/** Events of a stream that wait and are not on their way. */
export function waiting(ledger: StreamLedger, lane: Lane): number {
  return ledger.pending - lane.inFlight.reduce((sum, range) => sum + range.unsettled, 0);
}

export function isFull(ledger: StreamLedger, lane: Lane, settings: UploadSettings): boolean {
  const events = waiting(ledger, lane);
  const bytes = ledger.pending === 0 ? 0 : (ledger.pendingBytes * events) / ledger.pending;
  return events >= settings.batchEvents || bytes >= settings.batchBytes;
}

/** The first lane that has something to send now, and when the next one will. */
export function pick(lanes: ReadonlyMap<string, Lane>, log: Log, now: number, settings: UploadSettings) {
  let nextAt = Number.POSITIVE_INFINITY;
  for (const lane of lanes.values()) {
    const ledger = log.stream(lane.stream);
    if (ledger === null || lane.dueAt === null || waiting(ledger, lane) <= 0) continue;
    if (lane.pausedUntil !== null) {
      // One shipment at a time finds out whether the stream is wanted again.
      if (lane.inFlight.length > 0) continue;
      if (lane.pausedUntil <= now) return { lane, nextAt };
      nextAt = Math.min(nextAt, lane.pausedUntil);
    } else {
      if (lane.dueAt <= now || isFull(ledger, lane, settings)) return { lane, nextAt };
      nextAt = Math.min(nextAt, lane.dueAt);
    }
  }
  return { lane: null, nextAt };
}

/** The stream that is tried next, where all that is pending belongs to streams that are not wanted. */
export function pausedUntil(
  lanes: ReadonlyMap<string, Lane>,
  log: Log,
): { stream: string; pausedUntil: number } | null {
  let first: { stream: string; pausedUntil: number } | null = null;
  for (const ledger of log.streams()) {
    if (ledger.pending === 0) continue;
    const lane = lanes.get(ledger.stream);
    if (lane === undefined || lane.pausedUntil === null) return null;
    if (first === null || lane.pausedUntil < first.pausedUntil) {
      first = { stream: lane.stream, pausedUntil: lane.pausedUntil };
    }
  }
  return first;
}
