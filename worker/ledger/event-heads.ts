/** The batches of a list in its order, without what they hold: what a page reads is chosen among them. */
import { type EventCursor, streamMark } from "./event-cursor.ts";
import type { EventFilter } from "./event-filter.ts";
import type { Places } from "./event-places.ts";
import * as SQL from "./events-sql.ts";
import { createRowId } from "./row-id.ts";

export interface Heads {
  readonly heads: readonly SQL.BatchHead[];
  /** Nothing follows them. */
  readonly isEnd: boolean;
}

/** Batches looked at in one go, of all streams together; of each at least so many. */
const HEADS_AT_ONCE = 1_000;
const HEADS_OF_STREAM_MIN = 20;
/** A request is in the ledger, or refused, long before this: whoever reads on for times beyond it finds nothing. */
const REQUEST_MS_MAX = 600_000;

/** The next batches of some streams: within a stream in the order of their commits, among streams by their time. */
export async function nextHeads(
  db: D1Database,
  tenant: string,
  streams: readonly string[],
  { from, to }: EventFilter,
  cursor: EventCursor,
): Promise<Heads> {
  if (streams.length === 0) return { heads: [], isEnd: true };
  // No batch's seq is below its id, whose time is not before the request's.
  const firstSeq = createRowId(from, 0);
  const marks = streams.map((stream) => [stream, Math.max(cursor.get(streamMark(stream))?.seq ?? 0, firstSeq)]);
  const count = Math.max(HEADS_OF_STREAM_MIN, Math.floor(HEADS_AT_ONCE / streams.length));
  const rows = await SQL.HEADS.all(db, { tenant, marks: JSON.stringify(marks), count });
  const shares = streams
    .map((stream) => rows.filter((row) => row.stream === stream).sort((a, b) => a.seq - b.seq))
    .filter((share) => share.some((row) => row.received_at <= to + REQUEST_MS_MAX));
  return merged(shares, count);
}

/** The batches at some places, as far as a list has not passed them. */
export async function headsAt(
  db: D1Database,
  tenant: string,
  streams: readonly string[],
  places: Places,
  cursor: EventCursor,
): Promise<Heads> {
  const rows = await SQL.HEADS_BY_ID.all(db, { tenant, batches: JSON.stringify([...places.keys()]) });
  const shares = streams.map((stream) =>
    rows
      .filter((row) => row.stream === stream && row.seq >= (cursor.get(streamMark(stream))?.seq ?? 0))
      .sort((a, b) => a.seq - b.seq),
  );
  return merged(shares, Number.POSITIVE_INFINITY);
}

/** @param full a share of so many may go on: behind its last one nothing of the others is in order yet. */
function merged(shares: readonly (readonly SQL.BatchHead[])[], full: number): Heads {
  const at = shares.map(() => 0);
  const heads: SQL.BatchHead[] = [];
  for (;;) {
    let least = -1;
    for (const [i, share] of shares.entries()) {
      const head = share[at[i] ?? 0];
      if (head === undefined && share.length >= full) return { heads, isEnd: false };
      if (head !== undefined && head.id < (shares[least]?.[at[least] ?? 0]?.id ?? Number.POSITIVE_INFINITY)) least = i;
    }
    const head = shares[least]?.[at[least] ?? 0];
    if (head === undefined) return { heads, isEnd: true };
    heads.push(head);
    at[least] = (at[least] ?? 0) + 1;
  }
}
