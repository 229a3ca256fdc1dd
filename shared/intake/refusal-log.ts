/**
 * Tells of refused events without filling a log: of a stream the first at once, then at most one line a minute with all
 * that came since. What is not told yet when a process dies stands in the ledger all the same.
 */
import type { FirstReason, RefusedEvents } from "./refused-events.ts";

/** Whose events: a stream, and at the edge the tenant's. */
export interface RefusedOf {
  readonly tenant?: string;
  readonly stream: string;
}

export interface RefusalLine extends RefusedOf, RefusedEvents {
  /** Requests, or calls of a destination, that these were part of. */
  readonly requests: number;
}

export interface RefusalLog {
  note(of: RefusedOf, refused: RefusedEvents): void;
  /** Tells what came since its stream's last line and has waited long enough; all of it where `everything` is set. */
  flush(everything?: boolean): void;
}

const EVERY_MS = 60_000;
/** Streams remembered at once; the one that was told of longest ago makes room. */
const STREAMS_MAX = 1000;
/** Characters of a stream's name, which a client may choose. */
const NAME_MAX = 200;

interface Stream {
  readonly of: RefusedOf;
  readonly toldAt: number;
  since: (Omit<RefusalLine, keyof RefusedOf> & { readonly first: FirstReason }) | null;
}

/** @param tick milliseconds of a clock; a jump of it makes a line come early or late. */
export function createRefusalLog(tell: (line: RefusalLine) => void, tick: () => number): RefusalLog {
  // In the order in which they were told of.
  const streams = new Map<string, Stream>();

  const end = (key: string, stream: Stream): void => {
    streams.delete(key);
    if (stream.since !== null) tell({ ...stream.of, ...stream.since });
  };
  const flush = (everything = false): void => {
    const now = tick();
    for (const [key, stream] of streams) {
      if (!everything && now - stream.toldAt < EVERY_MS) return;
      end(key, stream);
    }
  };

  return {
    flush,
    note({ tenant, stream: name }, refused) {
      const of = { ...(tenant === undefined ? {} : { tenant }), stream: name.slice(0, NAME_MAX) };
      const key = JSON.stringify(of);
      const known = streams.get(key);
      if (known !== undefined) {
        known.since = sum(known.since, refused);
        flush();
        return;
      }
      flush();
      const oldest = streams.size >= STREAMS_MAX ? streams.entries().next().value : undefined;
      if (oldest !== undefined) end(...oldest);
      streams.set(key, { of, toldAt: tick(), since: null });
      tell({ ...of, ...sum(null, refused) });
    },
  };
}

function sum(before: Stream["since"], { refused, conflicts, quarantined, first }: RefusedEvents) {
  return {
    requests: (before?.requests ?? 0) + 1,
    refused: (before?.refused ?? 0) + refused,
    conflicts: (before?.conflicts ?? 0) + conflicts,
    quarantined: (before?.quarantined ?? 0) + quarantined,
    first: before?.first ?? first,
  };
}
