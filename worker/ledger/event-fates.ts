/** The events of batches with what became of each: in quarantine, under way, delivered. */
import { kindOf } from "../../shared/events/kind.ts";
import { ENTRY_STATUS, type EntrySpan, entrySpans } from "./entries.ts";
import * as SQL from "./events-sql.ts";
import { type EventState, type StoredEvent, storedEventId } from "./stored-event.ts";

/** What became of the events of some batches. */
interface Fates {
  /** What quarantine holds, by batch and entry. */
  readonly held: ReadonlyMap<string, SQL.HeldEvent>;
  readonly calls: readonly SQL.CarryingCall[];
  /** The calls that carried replays. */
  readonly replays: readonly SQL.CarryingCall[];
}

/** @param isWanted whether an entry of a batch is asked for. */
export async function eventsOf(
  db: D1Database,
  batches: readonly SQL.ReadBatch[],
  isWanted: (batch: number, entry: number) => boolean,
): Promise<StoredEvent[]> {
  const fates = await readFates(
    db,
    batches.map(({ id }) => id),
  );
  return batches.flatMap((batch) => {
    const times: (string | null)[] = batch.times === null ? [] : JSON.parse(batch.times);
    return entrySpans(batch.entries).flatMap((span, entry) => {
      if (span.status === ENTRY_STATUS.positionOnly || !isWanted(batch.id, entry)) return [];
      // Its payload is gone: the event is known by its counts alone.
      if (span.status === ENTRY_STATUS.stored && span.end > batch.payload.length) return [];
      return [storedEvent(batch, span, entry, times[entry] ?? null, fates)];
    });
  });
}

/** The ids of the calls that carried an event, its replay's too. */
export async function callsOf(db: D1Database, event: StoredEvent): Promise<number[]> {
  const { held, calls, replays } = await readFates(db, [event.batch]);
  const replayBatch = held.get(placeKey(event.batch, event.entry))?.replay_batch;
  const carrying = [
    ...calls.filter((call) => carries(call, event.batch, event.entry)),
    ...replays.filter((call) => call.batch === replayBatch),
  ];
  return [...new Set(carrying.map((call) => call.shipment))];
}

async function readFates(db: D1Database, batches: readonly number[]): Promise<Fates> {
  const wanted = { batches: JSON.stringify(batches) };
  const [held, calls] = await db.batch([SQL.HELD.bind(db, wanted), SQL.CALLS.bind(db, wanted)]);
  const byPlace = new Map(SQL.HELD.rows(held).map((row) => [placeKey(row.batch, row.entry), row]));
  const replays = [...byPlace.values()].flatMap((row) => (row.replay_batch === null ? [] : [row.replay_batch]));
  return {
    held: byPlace,
    calls: SQL.CALLS.rows(calls),
    replays: replays.length === 0 ? [] : await SQL.CALLS.all(db, { batches: JSON.stringify(replays) }),
  };
}

function placeKey(batch: number, entry: number): string {
  return `${batch} ${entry}`;
}

function storedEvent(
  batch: SQL.ReadBatch,
  span: EntrySpan,
  entry: number,
  reportedAt: string | null,
  fates: Fates,
): StoredEvent {
  const held = fates.held.get(placeKey(batch.id, entry));
  const filed = span.status === ENTRY_STATUS.stored ? batch.payload.slice(span.start, span.end) : (held?.event ?? "{}");
  return {
    id: held?.event_id ?? storedEventId(batch.stream, batch, entry, span.ordinal, filed),
    kind: kindOf(batch.stream),
    stream: batch.stream,
    producer: batch.producer,
    position: batch.first === null ? null : batch.first + entry,
    batch: batch.id,
    entry,
    source: held?.replay ?? filed,
    receivedAt: reportedAt ?? new Date(batch.received_at).toISOString(),
    state: stateOf(held, batch.id, entry, fates),
  };
}

function stateOf(held: SQL.HeldEvent | undefined, batch: number, entry: number, fates: Fates): EventState {
  if (held?.state === "open") return "quarantined";
  if (held?.state === "discarded") return "discarded";
  const carrying =
    held === undefined
      ? fates.calls.filter((call) => carries(call, batch, entry))
      : fates.replays.filter((call) => call.batch === held.replay_batch);
  return carrying.some((call) => call.state === "delivered") ? "delivered" : "pending";
}

function carries(call: SQL.CarryingCall, batch: number, entry: number): boolean {
  const parts: [number, number, number, number][] = JSON.parse(call.parts);
  return call.batch === batch && parts.some(([of, from, to]) => of === batch && from <= entry && entry <= to);
}
