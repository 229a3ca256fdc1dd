/**
 * Lists events in pages. A page ends at its limit or where it has looked at so much of the ledger that a filter which
 * matches little would else read all of it; it then goes on from where it stood.
 */
import { searchFor } from "./event-candidates.ts";
import { type EventCursor, type Mark, streamMark } from "./event-cursor.ts";
import { entriesOf, type StoredEntry } from "./event-fates.ts";
import { type EventFilter, isWanted } from "./event-filter.ts";
import { type Heads, headsAt, nextHeads } from "./event-heads.ts";
import type { Places } from "./event-places.ts";
import * as SQL from "./events-sql.ts";
import type { PayloadArchive } from "./payload-archive.ts";
import type { StoredEvent } from "./stored-event.ts";

export interface EventPage {
  readonly events: readonly StoredEvent[];
  /** Where to go on; null at the end. */
  readonly next: EventCursor | null;
}

export type ListOutcome =
  | { readonly kind: "page"; readonly page: EventPage }
  /** More streams than a cursor can hold: ask for one. */
  | { readonly kind: "too-many-streams"; readonly max: number };

/** Streams in one list: a cursor names each of them and has room in an address. */
const STREAMS_MAX = 500;
/** Batches that a page looks at for what a filter wants; without one it looks, some times, at as many as fill it. */
const HEADS_MAX = 1_000;
const WINDOWS_MAX = 4;
/** Readings of what batches hold, for one page; its payload, of which one batch has 256 KB, in one of them and in all. */
const READINGS_MAX = 12;
const OCTETS_AT_ONCE = 1_000_000;
const OCTETS_MAX = 4_000_000;
/** A reading that found too little is followed by one of so many times its entries. */
const GROWTH = 4;

export async function listEvents(
  db: D1Database,
  archive: PayloadArchive | null,
  tenant: string,
  filter: EventFilter,
  cursor: EventCursor,
  limit: number,
): Promise<ListOutcome> {
  const streams = filter.streams ?? (await streamsOf(db, tenant));
  if (streams.length > STREAMS_MAX) return { kind: "too-many-streams", max: STREAMS_MAX };
  const search = await searchFor(db, tenant, streams, filter);
  const reading = new Page({ db, archive }, filter, search.kind === "places" ? search.places : null, cursor, limit);
  const { heads: headsMax, windows: windowsMax } = boundsOf(filter, limit);
  for (let windows = 0; windows < windowsMax; windows++) {
    const heads =
      search.kind === "places"
        ? await headsAt(db, tenant, streams, filter, search.places, reading.marks)
        : await nextHeads(db, tenant, search.streams, filter, reading.marks, search.since, headsMax);
    const outcome = await reading.read(heads);
    if (outcome !== "read") break;
    if (heads.isEnd) return { kind: "page", page: { events: reading.events, next: null } };
  }
  return { kind: "page", page: { events: reading.events, next: reading.marks } };
}

async function streamsOf(db: D1Database, tenant: string): Promise<string[]> {
  return (await SQL.STREAMS.all(db, { tenant, count: STREAMS_MAX + 1 })).map(({ stream }) => stream);
}

/** Batches of one look at the ledger, and how many looks one page may take. */
function boundsOf({ producer, state, customer }: EventFilter, limit: number): { heads: number; windows: number } {
  const isFiltered = producer !== null || state !== null || customer !== null;
  if (isFiltered) return { heads: HEADS_MAX, windows: 1 };
  return { heads: Math.min(HEADS_MAX, limit + 1), windows: WINDOWS_MAX };
}

interface ReadFrom {
  readonly db: D1Database;
  readonly archive: PayloadArchive | null;
}

/** A page as it fills, and how far it has read. */
class Page {
  readonly events: StoredEvent[] = [];
  readonly marks: Map<string, Mark>;
  private readings = 0;
  private octets = 0;
  private readonly from: ReadFrom;
  private readonly filter: EventFilter;
  private readonly places: Places | null;
  private readonly limit: number;

  constructor(from: ReadFrom, filter: EventFilter, places: Places | null, cursor: EventCursor, limit: number) {
    this.from = from;
    this.filter = filter;
    this.places = places;
    this.limit = limit;
    this.marks = new Map(cursor);
  }

  /** @returns "full" where the page has its limit and an event more is there, "stopped" where it has read its share. */
  async read({ heads, ends }: Heads): Promise<"full" | "stopped" | "read"> {
    for (let at = 0; at < heads.length; ) {
      if (this.readings >= READINGS_MAX || this.octets >= OCTETS_MAX) return "stopped";
      const run = this.nextRun(heads, at);
      at += run.length;
      if (!(await this.readRun(run))) return "full";
    }
    for (const [mark, end] of ends) this.marks.set(mark, end);
    return "read";
  }

  /** As many batches as can fill the page, more with each reading that did not. */
  private nextRun(heads: readonly SQL.BatchHead[], from: number): readonly SQL.BatchHead[] {
    const isRare = this.filter.customer !== null;
    const entriesMax = isRare
      ? Number.POSITIVE_INFINITY
      : (this.limit - this.events.length + 1) * GROWTH ** this.readings;
    let entries = 0;
    let octets = 0;
    let to = from;
    for (; to < heads.length && entries < entriesMax && octets < OCTETS_AT_ONCE; to++) {
      entries += heads[to]?.entries ?? 0;
      octets += heads[to]?.octets ?? 0;
    }
    this.readings++;
    this.octets += octets;
    return heads.slice(from, to);
  }

  /** @returns false where there was an event more than the page takes. */
  private async readRun(run: readonly SQL.BatchHead[]): Promise<boolean> {
    const batches = JSON.stringify(run.map(({ id }) => id));
    const text = this.filter.customer === null ? null : JSON.stringify(this.filter.customer.text).slice(1, -1);
    const { db, archive } = this.from;
    const entries = await entriesOf(db, archive, await SQL.READ.all(db, { batches, text }));
    for (const head of run) if (!this.take(head, entries.get(head.id) ?? [])) return false;
    return true;
  }

  private take({ id, stream, seq }: SQL.BatchHead, entries: readonly StoredEntry[]): boolean {
    const mark = streamMark(stream);
    const begun = this.marks.get(mark);
    const first = begun?.seq === seq ? begun.entry : 0;
    const named = this.places?.get(id) ?? null;
    for (const stored of entries) {
      const { entry } = stored;
      if (entry < first || (named !== null && !named.has(entry)) || !isWanted(stored, this.filter)) continue;
      if (this.events.length === this.limit) {
        this.marks.set(mark, { seq, entry });
        return false;
      }
      this.events.push(stored.event());
    }
    this.marks.set(mark, { seq: seq + 1, entry: 0 });
    return true;
  }
}
