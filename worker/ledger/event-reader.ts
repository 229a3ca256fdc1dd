/** Reads events back from D1: one by its id, many in their order, and the calls that carried them. */

import { parseStream } from "../../shared/events/kind.ts";
import { eventId } from "../../shared/identity.ts";
import { ENTRY_STATUS, entrySpans } from "./entries.ts";
import { ledgerKey } from "./event-key.ts";
import * as SQL from "./events-sql.ts";
import { type EventState, type IdentityRow, type StoredEvent, storedEventId } from "./stored-event.ts";

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

export interface AttemptRow {
  readonly shipment: number;
  readonly attempt: number;
  readonly at: number;
  readonly duration_ms: number;
  readonly status: number | null;
  readonly verdict: string;
  readonly message: string | null;
}

export interface EventReader {
  find(tenant: string, id: string): Promise<StoredEvent | null>;
  list(tenant: string, filter: EventFilter, cursor: EventCursor, limit: number): Promise<EventPage>;
  /** Every attempt of every call that carried the event. */
  attempts(event: StoredEvent): Promise<AttemptRow[]>;
}

interface BatchRow extends IdentityRow {
  readonly id: number;
  readonly stream: string;
  readonly received_at: number;
  readonly times: string | null;
  readonly payload: string;
  readonly entries: string;
}

interface HeldRow {
  readonly batch: number;
  readonly entry: number;
  readonly state: "open" | "replayed" | "discarded";
  readonly event: string;
  readonly replay_batch: number | null;
  readonly replay: string | null;
}

interface CallRow {
  readonly batch: number;
  readonly shipment: number;
  readonly state: string;
  readonly parts: string;
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
      const row =
        (await db.prepare(SQL.BY_KEY).bind(ledgerKey(tenant, id), tenant).first<BatchRow & { entry: number }>()) ??
        (await findByPosition(db, tenant, id));
      if (row === null) return null;
      const [event] = await eventsOf(db, [row], (_, entry) => entry === row.entry);
      return event === undefined ? null : { ...event, id };
    },
    list: (tenant, filter, cursor, limit) => listEvents(db, tenant, filter, cursor, limit),
    attempts: (event) => readAttempts(db, event),
  };
}

async function findByPosition(
  db: D1Database,
  tenant: string,
  id: string,
): Promise<(BatchRow & { entry: number }) | null> {
  const { results } = await db
    .prepare(SQL.LAST_POSITIONS)
    .bind(tenant)
    .all<{ stream: string; producer: string; last: number }>();
  for (const { stream, producer, last } of results) {
    const kind = parseStream(stream)?.kind ?? "usage";
    for (let tried = 0; tried < POSITIONS_TRIED_MAX / results.length && last - tried >= 0; tried++) {
      const position = last - tried;
      if (eventId(kind, stream, { by: "position", producer, position }) !== id) continue;
      return db.prepare(SQL.BY_POSITION).bind(tenant, stream, producer, position).first<BatchRow & { entry: number }>();
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
  const streams = filter.streams ?? (await streamsOf(db, tenant));
  const events: StoredEvent[] = [];
  let at = cursor;
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const { rows, isEnd } = await nextBatches(db, tenant, streams, filter, at.batch);
    const from = at;
    const found = await eventsOf(db, rows, (batch, entry) => batch > from.batch || entry >= from.entry);
    for (const event of found) {
      if (events.length === limit) return { events, next: { batch: event.batch, entry: event.entry } };
      if (filter.state === null || event.state === filter.state) events.push(event);
    }
    const last = rows.at(-1);
    if (isEnd || last === undefined) return { events, next: null };
    at = { batch: last.id + 1, entry: 0 };
  }
  return { events, next: at };
}

async function streamsOf(db: D1Database, tenant: string): Promise<string[]> {
  const { results } = await db.prepare(SQL.STREAMS).bind(tenant).all<{ stream: string }>();
  return results.map((row) => row.stream);
}

/** The next batches of several streams, merged in their order; a stream that gave its fill bounds the others. */
async function nextBatches(
  db: D1Database,
  tenant: string,
  streams: readonly string[],
  filter: EventFilter,
  from: number,
): Promise<{ readonly rows: BatchRow[]; readonly isEnd: boolean }> {
  if (streams.length === 0) return { rows: [], isEnd: true };
  const statement = db.prepare(SQL.OF_STREAM);
  const results = await db.batch<BatchRow>(
    streams.map((stream) =>
      statement.bind(tenant, stream, from, filter.producer, filter.from, filter.to, BATCHES_AT_ONCE),
    ),
  );
  const full = results.filter(({ results: rows }) => rows.length === BATCHES_AT_ONCE);
  const bound = Math.min(...full.map(({ results: rows }) => rows.at(-1)?.id ?? 0));
  const rows = results
    .flatMap(({ results: found }) => found)
    .filter((row) => row.id <= bound)
    .sort((a, b) => a.id - b.id);
  return { rows, isEnd: full.length === 0 };
}

async function eventsOf(
  db: D1Database,
  rows: readonly BatchRow[],
  isWanted: (batch: number, entry: number) => boolean,
): Promise<StoredEvent[]> {
  const { held, calls } = await readFates(
    db,
    rows.map((row) => row.id),
  );
  const replays = [...held.values()].flatMap((row) => (row.replay_batch === null ? [] : [row.replay_batch]));
  const replayed = replays.length === 0 ? [] : (await readFates(db, replays)).calls;
  return rows.flatMap((row) => {
    const times: (string | null)[] = row.times === null ? [] : JSON.parse(row.times);
    return entrySpans(row.entries).flatMap((span, entry) => {
      if (span.status === ENTRY_STATUS.positionOnly || !isWanted(row.id, entry)) return [];
      const kept = held.get(`${row.id} ${entry}`);
      const filed =
        span.status === ENTRY_STATUS.stored ? row.payload.slice(span.start, span.end) : (kept?.event ?? "{}");
      const state = stateOf(kept, row.id, entry, calls, replayed);
      return [
        {
          id: storedEventId(row.stream, row, entry, span.index, filed),
          kind: parseStream(row.stream)?.kind ?? "usage",
          stream: row.stream,
          producer: row.producer,
          position: row.first === null ? null : row.first + entry,
          batch: row.id,
          entry,
          source: kept?.replay ?? filed,
          receivedAt: times[entry] ?? new Date(row.received_at).toISOString(),
          state,
        },
      ];
    });
  });
}

async function readFates(db: D1Database, batches: readonly number[]) {
  const wanted = JSON.stringify(batches);
  const [heldRows, callRows] = await db.batch([db.prepare(SQL.HELD).bind(wanted), db.prepare(SQL.CALLS).bind(wanted)]);
  const held = new Map<string, HeldRow>();
  for (const row of (heldRows?.results ?? []) as HeldRow[]) held.set(`${row.batch} ${row.entry}`, row);
  return { held, calls: (callRows?.results ?? []) as CallRow[] };
}

function stateOf(
  held: HeldRow | undefined,
  batch: number,
  entry: number,
  calls: readonly CallRow[],
  replays: readonly CallRow[],
): EventState {
  if (held?.state === "open") return "quarantined";
  if (held?.state === "discarded") return "discarded";
  const carrying =
    held === undefined
      ? calls.filter((call) => carries(call, batch, entry))
      : replays.filter((call) => call.batch === held.replay_batch);
  return carrying.some((call) => call.state === "delivered") ? "delivered" : "pending";
}

function carries(call: CallRow, batch: number, entry: number): boolean {
  const parts: [number, number, number, number][] = JSON.parse(call.parts);
  return call.batch === batch && parts.some(([of, from, to]) => of === batch && from <= entry && entry <= to);
}

async function readAttempts(db: D1Database, event: StoredEvent): Promise<AttemptRow[]> {
  const { held, calls } = await readFates(db, [event.batch]);
  const replay = held.get(`${event.batch} ${event.entry}`)?.replay_batch ?? null;
  const replays = replay === null ? [] : (await readFates(db, [replay])).calls;
  const shipments = [...calls.filter((call) => carries(call, event.batch, event.entry)), ...replays].map(
    (call) => call.shipment,
  );
  const { results } = await db
    .prepare(SQL.ATTEMPTS)
    .bind(JSON.stringify([...new Set(shipments)]))
    .all<AttemptRow>();
  return results;
}
