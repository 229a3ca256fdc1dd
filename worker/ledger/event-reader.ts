/** Reads events back from D1: one by its id, many in their order, and the calls that carried them. */

import { kindOf } from "../../shared/events/kind.ts";
import { eventId } from "../../shared/identity.ts";
import type { AttemptRow } from "../database/rows.ts";
import { callsOf, eventsOf } from "./event-fates.ts";
import { ledgerKey } from "./event-key.ts";
import * as SQL from "./events-sql.ts";
import type { EventState, StoredEvent } from "./stored-event.ts";

export interface EventFilter {
  /** Null: every stream of the tenant. */
  readonly streams: readonly string[] | null;
  readonly producer: string | null;
  readonly state: EventState | null;
  /** Received between, milliseconds since 1970, ends inclusive. */
  readonly from: number;
  readonly to: number;
}

export interface EventPage {
  readonly events: readonly StoredEvent[];
  /** Where to go on; null at the end. */
  readonly next: EventCursor | null;
}

export interface EventCursor {
  readonly batch: number;
  readonly entry: number;
}

export type EventAttempt = AttemptRow;

export interface EventReader {
  find(tenant: string, id: string): Promise<StoredEvent | null>;
  list(tenant: string, filter: EventFilter, cursor: EventCursor, limit: number): Promise<EventPage>;
  /** Every attempt of every call that carried the event. */
  attempts(event: StoredEvent): Promise<EventAttempt[]>;
}

/** An event of a producer without an id of its own is found by trying its producers' latest positions. */
const POSITIONS_TRIED_MAX = 50_000;
/** Batches read at once for a page. */
const BATCHES_AT_ONCE = 20;
/** Rounds of reading for one page: a filter that matches nothing must not read the whole ledger. */
const ROUNDS_MAX = 50;

export function createEventReader(db: D1Database): EventReader {
  return {
    async find(tenant, id) {
      const batch =
        (await SQL.BY_KEY.first(db, { key: ledgerKey(tenant, id), tenant })) ?? (await findByPosition(db, tenant, id));
      if (batch === null) return null;
      const [event] = await eventsOf(db, [batch], (_, entry) => entry === batch.entry);
      return event === undefined ? null : { ...event, id };
    },
    list: (tenant, filter, cursor, limit) => listEvents(db, tenant, filter, cursor, limit),
    attempts: async (event) => SQL.ATTEMPTS.all(db, { shipments: JSON.stringify(await callsOf(db, event)) }),
  };
}

async function findByPosition(db: D1Database, tenant: string, id: string) {
  const lasts = await SQL.LAST_POSITIONS.all(db, { tenant });
  for (const { stream, producer, last } of lasts) {
    const kind = kindOf(stream);
    for (let tried = 0; tried < POSITIONS_TRIED_MAX / lasts.length && last - tried >= 0; tried++) {
      const position = last - tried;
      if (eventId(kind, stream, { by: "position", producer, position }) !== id) continue;
      return SQL.BY_POSITION.first(db, { tenant, stream, producer, position });
    }
  }
  return null;
}

async function listEvents(
  db: D1Database,
  tenant: string,
  filter: EventFilter,
  cursor: EventCursor,
  limit: number,
): Promise<EventPage> {
  const streams = filter.streams ?? (await SQL.STREAMS.all(db, { tenant })).map(({ stream }) => stream);
  const events: StoredEvent[] = [];
  let at = cursor;
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const { batches, isEnd } = await nextBatches(db, tenant, streams, filter, at.batch);
    const from = at;
    const found = await eventsOf(db, batches, (batch, entry) => batch > from.batch || entry >= from.entry);
    for (const event of found) {
      if (events.length === limit) return { events, next: { batch: event.batch, entry: event.entry } };
      if (filter.state === null || event.state === filter.state) events.push(event);
    }
    const last = batches.at(-1);
    if (isEnd || last === undefined) return { events, next: null };
    at = { batch: last.id + 1, entry: 0 };
  }
  return { events, next: at };
}

/** The next batches of several streams, merged in their order; a stream that gave its fill bounds the others. */
async function nextBatches(
  db: D1Database,
  tenant: string,
  streams: readonly string[],
  { producer, from, to }: EventFilter,
  fromId: number,
): Promise<{ readonly batches: SQL.ReadBatch[]; readonly isEnd: boolean }> {
  if (streams.length === 0) return { batches: [], isEnd: true };
  const results = await db.batch(
    streams.map((stream) =>
      SQL.OF_STREAM.bind(db, { tenant, stream, fromId, producer, from, to, count: BATCHES_AT_ONCE }),
    ),
  );
  const found = results.map((result) => SQL.OF_STREAM.rows(result));
  const full = found.filter((rows) => rows.length === BATCHES_AT_ONCE);
  const bound = Math.min(...full.map((rows) => rows.at(-1)?.id ?? 0));
  const batches = found
    .flat()
    .filter((row) => row.id <= bound)
    .sort((a, b) => a.id - b.id);
  return { batches, isEnd: full.length === 0 };
}
