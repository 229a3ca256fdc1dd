/** What the agent tells of itself: the document of GET /status and of `status`. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../buffer/log.ts";
import type { LedgerCounts, StreamLedger } from "../buffer/tables/streams.ts";
import type { DestinationStatus } from "../upload/health.ts";
import { idsOf } from "../upload/lane-log.ts";
import type { LaneStatus } from "../upload/uploader.ts";
import type { EdgeDelivery } from "./delivery-watch.ts";

export interface StatusDocument {
  /** The name on the wire; null before there is a buffer. */
  readonly producer: string | null;
  readonly running: boolean;
  readonly ledger: LedgerCounts;
  readonly buffer: {
    readonly bytes: number;
    readonly max_bytes: number;
    readonly oldest_s: number | null;
    readonly hours_left: number | null;
  };
  readonly destination: {
    readonly state: DestinationStatus["state"] | null;
    readonly last_error: string | null;
    readonly next_attempt_s: number | null;
  };
  readonly streams: readonly StreamStatus[];
  /** How the edge gets on with what it accepted of this agent; null where that is not known. */
  readonly delivery: EdgeDelivery | null;
}

export interface StreamStatus {
  readonly stream: string;
  readonly first_sequence: number | null;
  readonly last_sequence: number | null;
  readonly ledger: LedgerCounts;
  /** Of this stream, what waits by itself while others go on; absent where nothing does. */
  readonly waiting?: readonly WaitingLane[];
}

/** Events of a stream with these ids headers, refused there for a reason of their own. */
export interface WaitingLane {
  readonly entity_ids?: string;
  readonly org_ids?: string;
  readonly platform_id?: string;
  readonly last_error: string;
  readonly since_s: number;
  /** Null while its calls back off each by itself. */
  readonly next_attempt_s: number | null;
}

/** Of one stream in one document. */
const LANES_SHOWN_MAX = 100;

/** The status of an agent that uploads. */
export async function statusOf(
  log: Log,
  options: {
    readonly directory: string;
    readonly bytesMax: number;
    readonly nowMs: number;
    readonly destination: DestinationStatus;
    readonly lanes: readonly LaneStatus[];
    readonly delivery: EdgeDelivery | null;
    /** Hours until so many bytes are filled. */
    readonly hoursLeft: (freeBytes: number) => number | null;
  },
): Promise<StatusDocument> {
  const [bytes, oldest] = await Promise.all([bytesIn(options.directory), log.oldest()]);
  return {
    producer: log.producer,
    running: true,
    ledger: log.ledger(),
    buffer: {
      bytes,
      max_bytes: options.bytesMax,
      oldest_s: oldest === null ? null : ageS(oldest, options.nowMs),
      hours_left: options.hoursLeft(options.bytesMax - bytes),
    },
    destination: options.destination,
    streams: [...log.streams()].map((ledger) => withWaiting(streamStatusOf(ledger), options.lanes)),
    delivery: options.delivery,
  };
}

function withWaiting(status: StreamStatus, lanes: readonly LaneStatus[]): StreamStatus {
  const own = lanes.filter(({ stream }) => stream === status.stream).slice(0, LANES_SHOWN_MAX);
  return own.length === 0 ? status : { ...status, waiting: own.map(waitingLaneOf) };
}

function waitingLaneOf({ scope, reason, sinceMs, nextMs }: LaneStatus): WaitingLane {
  return {
    ...idsOf(scope),
    last_error: `answered ${reason.status}: ${reason.message}`,
    since_s: Math.round(sinceMs / 1000),
    next_attempt_s: nextMs === null ? null : Math.ceil(nextMs / 100) / 10,
  };
}

/** A lane in words: its stream, and its ids where it has any. */
export function laneText(stream: string, ids: Pick<WaitingLane, "entity_ids" | "org_ids" | "platform_id">): string {
  const texts = Object.entries({ entities: ids.entity_ids, orgs: ids.org_ids, platform: ids.platform_id });
  const named = texts.filter(([, value]) => value !== undefined).map(([name, value]) => `${name} ${value}`);
  return named.length === 0 ? stream : `${stream} (${named.join(", ")})`;
}

export function ageS(sinceMs: number, nowMs: number): number {
  return Math.max(0, Math.round((nowMs - sinceMs) / 1000));
}

export function streamStatusOf({ stream, nextPosition, ...ledger }: StreamLedger): StreamStatus {
  const { accepted, delivered, pending, quarantined, discarded } = ledger;
  return {
    stream,
    first_sequence: nextPosition > 1 ? 1 : null,
    last_sequence: nextPosition > 1 ? nextPosition - 1 : null,
    ledger: { accepted, delivered, pending, quarantined, discarded },
  };
}

/** The size of all files in the buffer's directory. */
export async function bytesIn(directory: string): Promise<number> {
  const entries = await readdir(directory, { withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  // A file may go between the listing and the look at it.
  const sizes = await Promise.all(
    files.map((file) =>
      stat(join(directory, file.name)).then(
        (s) => s.size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
