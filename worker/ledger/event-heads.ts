/** The batches of a list in its order, without what they hold: what a page reads is chosen among them. */
import { type EventCursor, type Mark, streamMark } from "./event-cursor.ts";
import type { EventFilter } from "./event-filter.ts";
import type { Places } from "./event-places.ts";
import * as SQL from "./events-sql.ts";
import { createRowId } from "./row-id.ts";

export interface Heads {
  readonly heads: readonly SQL.BatchHead[];
  /** Where each stream goes on once they are read, by {@link streamMark}. */
  readonly ends: ReadonlyMap<string, Mark>;
  /** Nothing follows them. */
  readonly isEnd: boolean;
}

/** Of a stream at least so many batches are looked at in one go. */
const HEADS_OF_STREAM_MIN = 2;
/** A request is in the ledger, or refused, long before this: whoever reads on for times beyond it finds nothing. */
const REQUEST_MS_MAX = 600_000;

/** What a stream has in a window: those that match, in their order, and where the window ends. */
interface Share {
  readonly stream: string;
  readonly heads: readonly SQL.BatchHead[];
  /** Null where the stream ends with it. */
  readonly beyond: number | null;
  readonly end: Mark;
}

/**
 * The next batches of some streams that match: within a stream in the order of their commits, among streams by their time.
 * @param since ids by stream below which nothing matches. @param countMax batches looked at, of all streams together.
 */
export async function nextHeads(
  db: D1Database,
  tenant: string,
  streams: readonly string[],
  filter: EventFilter,
  cursor: EventCursor,
  since: ReadonlyMap<string, number>,
  countMax: number,
): Promise<Heads> {
  if (streams.length === 0) return { heads: [], ends: new Map(), isEnd: true };
  // No batch's seq is below its id, whose time is not before the request's.
  const firstSeq = createRowId(filter.from, 0);
  const firstOf = (stream: string) =>
    Math.max(cursor.get(streamMark(stream))?.seq ?? 0, firstSeq, since.get(stream) ?? 0);
  const marks = JSON.stringify(streams.map((stream) => [stream, firstOf(stream)]));
  const windows = { marks, count: Math.max(HEADS_OF_STREAM_MIN, Math.floor(countMax / streams.length)) };
  const isBounded = filter.to < Number.MAX_SAFE_INTEGER;
  const [headRows, windowRows] = await db.batch([
    SQL.HEADS.bind(db, { ...matching(tenant, filter), ...windows }),
    SQL.WINDOWS.bind(db, { tenant, ...windows, withEarliest: isBounded ? 1 : 0 }),
  ]);
  const byStream = Map.groupBy(SQL.HEADS.rows(headRows), ({ stream }) => stream);
  const lastId = isBounded ? createRowId(filter.to + REQUEST_MS_MAX, 1) : Number.POSITIVE_INFINITY;
  const shares = SQL.WINDOWS.rows(windowRows).map(({ stream, beyond, last, earliest }): Share => {
    const isPast = earliest !== null && earliest > lastId;
    const heads = (byStream.get(stream) ?? []).sort((a, b) => a.seq - b.seq);
    const end = { seq: Math.max(firstOf(stream), beyond ?? (last ?? 0) + 1), entry: 0 };
    return { stream, heads, beyond: isPast ? null : beyond, end };
  });
  return merged(shares);
}

/** The batches at some places that match, as far as a list has not passed them. */
export async function headsAt(
  db: D1Database,
  tenant: string,
  streams: readonly string[],
  filter: EventFilter,
  places: Places,
  cursor: EventCursor,
): Promise<Heads> {
  const batches = JSON.stringify([...places.keys()]);
  const rows = await SQL.HEADS_BY_ID.all(db, { ...matching(tenant, filter), batches });
  const byStream = Map.groupBy(rows, ({ stream }) => stream);
  const shares = streams.map((stream): Share => {
    const from = cursor.get(streamMark(stream))?.seq ?? 0;
    const heads = (byStream.get(stream) ?? []).filter(({ seq }) => seq >= from).sort((a, b) => a.seq - b.seq);
    return { stream, heads, beyond: null, end: { seq: (heads.at(-1)?.seq ?? from - 1) + 1, entry: 0 } };
  });
  return merged(shares);
}

function matching(tenant: string, { producer, state, from, to }: EventFilter): SQL.HeadFilter {
  return { tenant, producer, state, from, to };
}

/** By time, as far as it is known of every stream: behind the end of a window nothing of the others is in order yet. */
function merged(shares: readonly Share[]): Heads {
  const at = shares.map(() => 0);
  const heads: SQL.BatchHead[] = [];
  const nextOf = (i: number) => shares[i]?.heads[at[i] ?? 0];
  for (;;) {
    let least = -1;
    let leastTime = Number.POSITIVE_INFINITY;
    for (const [i, { beyond }] of shares.entries()) {
      const time = nextOf(i)?.id ?? beyond ?? Number.POSITIVE_INFINITY;
      if (time < leastTime) [least, leastTime] = [i, time];
    }
    const head = nextOf(least);
    if (head === undefined) break;
    heads.push(head);
    at[least] = (at[least] ?? 0) + 1;
  }
  const ends = shares.map(({ stream, end }, i): [string, Mark] => {
    const next = nextOf(i);
    return [streamMark(stream), next === undefined ? end : { seq: next.seq, entry: 0 }];
  });
  const isEnd = shares.every(({ beyond }, i) => beyond === null && nextOf(i) === undefined);
  return { heads, ends: new Map(ends), isEnd };
}
