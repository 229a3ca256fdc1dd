/**
 * Lists events in pages. A page ends at its limit or where it has looked at so much of the ledger that a filter which
 * matches little would else read all of it; it then goes on from where it stood.
 */
import { type EventCursor, type Mark, streamMark } from "./event-cursor.ts";
import { eventsOf } from "./event-fates.ts";
import { type EventFilter, isWanted } from "./event-filter.ts";
import { headsAt, nextHeads } from "./event-heads.ts";
import { type Places, placesOfKey, placesOfOwnId } from "./event-places.ts";
import * as SQL from "./events-sql.ts";
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
/** Batches whose payload, 256 KB at most, is in memory at once. */
const BATCHES_AT_ONCE = 25;
/** Readings for one page, of batches' heads or of what they hold. */
const READINGS_MAX = 50;

export async function listEvents(
  db: D1Database,
  tenant: string,
  filter: EventFilter,
  cursor: EventCursor,
  limit: number,
): Promise<ListOutcome> {
  const streams = filter.streams ?? (await streamsOf(db, tenant));
  if (streams.length > STREAMS_MAX) return { kind: "too-many-streams", max: STREAMS_MAX };
  const places = await placesFor(db, tenant, streams, filter);
  const reading = new Page(db, filter, places, cursor, limit);
  while (reading.readings < READINGS_MAX) {
    reading.readings++;
    const { heads, isEnd } =
      places === null
        ? await nextHeads(db, tenant, streams, filter, reading.marks)
        : await headsAt(db, tenant, streams, places, reading.marks);
    const outcome = await reading.read(heads);
    if (outcome === "full") break;
    if (outcome === "read" && isEnd) return { kind: "page", page: { events: reading.events, next: null } };
  }
  return { kind: "page", page: { events: reading.events, next: reading.marks } };
}

async function streamsOf(db: D1Database, tenant: string): Promise<string[]> {
  return (await SQL.STREAMS.all(db, { tenant, count: STREAMS_MAX + 1 })).map(({ stream }) => stream);
}

/** Null where nothing is asked for that leads to an event by a seek. */
async function placesFor(
  db: D1Database,
  tenant: string,
  streams: readonly string[],
  { ownId, key }: EventFilter,
): Promise<Places | null> {
  const byKey = key === null ? null : await placesOfKey(db, tenant, streams, key);
  if (ownId === null) return byKey;
  const byId = await placesOfOwnId(db, tenant, streams, ownId);
  return byKey === null ? byId : new Map([...byId].filter(([batch]) => byKey.has(batch)));
}

/** A page as it fills, and how far it has read. */
class Page {
  readonly events: StoredEvent[] = [];
  readonly marks: Map<string, Mark>;
  readings = 0;
  private readonly db: D1Database;
  private readonly filter: EventFilter;
  private readonly places: Places | null;
  private readonly limit: number;

  constructor(db: D1Database, filter: EventFilter, places: Places | null, cursor: EventCursor, limit: number) {
    this.db = db;
    this.filter = filter;
    this.places = places;
    this.limit = limit;
    this.marks = new Map(cursor);
  }

  /** @returns "full" where the page has its limit and an event more is there, "stopped" where it has read its share. */
  async read(heads: readonly SQL.BatchHead[]): Promise<"full" | "stopped" | "read"> {
    for (let at = 0; at < heads.length; ) {
      if (this.readings++ >= READINGS_MAX) return "stopped";
      const run = this.nextRun(heads, at);
      at += run.length;
      if (!(await this.readRun(run))) return "full";
    }
    return "read";
  }

  /** As many batches as can fill the page, with those between them that need no reading. */
  private nextRun(heads: readonly SQL.BatchHead[], from: number): readonly SQL.BatchHead[] {
    let batches = 0;
    let entries = 0;
    let to = from;
    for (; to < heads.length && batches < BATCHES_AT_ONCE && entries <= this.limit - this.events.length; to++) {
      const head = heads[to];
      if (head === undefined || !this.mayHold(head)) continue;
      batches++;
      entries += head.entries;
    }
    return heads.slice(from, to);
  }

  private mayHold({ producer, received_at }: SQL.BatchHead): boolean {
    const { filter } = this;
    if (filter.producer !== null && producer !== filter.producer) return false;
    return received_at >= filter.from && received_at <= filter.to;
  }

  /** @returns false where there was an event more than the page takes. */
  private async readRun(run: readonly SQL.BatchHead[]): Promise<boolean> {
    const ids = run.filter((head) => this.mayHold(head)).map(({ id }) => id);
    const text = this.filter.customer === null ? null : JSON.stringify(this.filter.customer.text).slice(1, -1);
    const batches = ids.length === 0 ? [] : await SQL.READ.all(this.db, { batches: JSON.stringify(ids), text });
    const events = await eventsOf(this.db, batches, (batch, entry) => this.places?.get(batch)?.has(entry) ?? true);
    const byBatch = Map.groupBy(events, ({ batch }) => batch);
    for (const { id, stream, seq } of run) {
      const mark = streamMark(stream);
      const begun = this.marks.get(mark);
      const first = begun?.seq === seq ? begun.entry : 0;
      for (const event of byBatch.get(id) ?? []) {
        if (event.entry < first || !isWanted(event, this.filter)) continue;
        if (this.events.length === this.limit) {
          this.marks.set(mark, { seq, entry: event.entry });
          return false;
        }
        this.events.push(event);
      }
      this.marks.set(mark, { seq: seq + 1, entry: 0 });
    }
    return true;
  }
}
