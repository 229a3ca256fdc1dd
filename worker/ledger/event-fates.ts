/** The events of batches with what became of each: in quarantine, under way, delivered. */
import { kindOf } from "../../shared/events/kind.ts";
import { ENTRY_STATUS, type EntrySpan, entrySpans } from "./entries.ts";
import * as SQL from "./events-sql.ts";
import { type EventState, type StoredEvent, storedEventId } from "./stored-event.ts";

/** An event of a batch with what became of it; who it is costs a hash, and is told where it is asked for. */
export interface StoredEntry {
  readonly stream: string;
  readonly entry: number;
  readonly state: EventState;
  /** Source text; a corrected event's is the correction. */
  readonly source: string;
  event(): StoredEvent;
}

/** A part of a batch that a call carried. */
interface CarriedPart {
  readonly from: number;
  readonly to: number;
  readonly shipment: number;
  readonly isDelivered: boolean;
}

/** What became of the events of some batches. */
interface Fates {
  /** What quarantine holds, by batch and entry. */
  readonly held: ReadonlyMap<string, SQL.HeldEvent>;
  /** By batch, those of replays too. */
  readonly parts: ReadonlyMap<number, readonly CarriedPart[]>;
}

/** The events of batches in their order, by batch: all that are to be found there. */
export async function entriesOf(
  db: D1Database,
  batches: readonly SQL.ReadBatch[],
): Promise<ReadonlyMap<number, readonly StoredEntry[]>> {
  if (batches.length === 0) return new Map();
  const fates = await readFates(
    db,
    batches.map(({ id }) => id),
  );
  return new Map(batches.map((batch) => [batch.id, entriesIn(batch, fates)]));
}

/** The event at an entry of a batch; null where none is there. */
export async function eventAt(db: D1Database, batch: SQL.ReadBatch, entry: number): Promise<StoredEvent | null> {
  const entries = await entriesOf(db, [batch]);
  const stored = entries.get(batch.id)?.find((one) => one.entry === entry);
  return stored === undefined ? null : stored.event();
}

/** The ids of the calls that carried an event, its replay's too. */
export async function callsOf(db: D1Database, event: StoredEvent): Promise<number[]> {
  const { held, parts } = await readFates(db, [event.batch]);
  const replayBatch = held.get(placeKey(event.batch, event.entry))?.replay_batch ?? null;
  const carrying = [
    ...partsWith(parts, event.batch, event.entry),
    ...(replayBatch === null ? [] : (parts.get(replayBatch) ?? [])),
  ];
  return [...new Set(carrying.map(({ shipment }) => shipment))];
}

async function readFates(db: D1Database, batches: readonly number[]): Promise<Fates> {
  const wanted = { batches: JSON.stringify(batches) };
  const [held, calls] = await db.batch([SQL.HELD.bind(db, wanted), SQL.CALLS.bind(db, wanted)]);
  const byPlace = new Map(SQL.HELD.rows(held).map((row) => [placeKey(row.batch, row.entry), row]));
  const replays = [...byPlace.values()].flatMap((row) => (row.replay_batch === null ? [] : [row.replay_batch]));
  const replayCalls = replays.length === 0 ? [] : await SQL.CALLS.all(db, { batches: JSON.stringify(replays) });
  const shown = new Set([...batches, ...replays]);
  return { held: byPlace, parts: partsOf([...SQL.CALLS.rows(calls), ...replayCalls], shown) };
}

/** A call may carry thousands of batches: each is taken apart once. */
function partsOf(calls: readonly SQL.CarryingCall[], shown: ReadonlySet<number>): Map<number, CarriedPart[]> {
  const found = new Map<number, CarriedPart[]>();
  for (const { shipment, state, parts } of calls) {
    const carried: [number, number, number][] = JSON.parse(parts);
    for (const [batch, from, to] of carried) {
      if (!shown.has(batch)) continue;
      const known = found.get(batch) ?? [];
      known.push({ from, to, shipment, isDelivered: state === "delivered" });
      found.set(batch, known);
    }
  }
  return found;
}

function partsWith(parts: Fates["parts"], batch: number, entry: number): readonly CarriedPart[] {
  return (parts.get(batch) ?? []).filter(({ from, to }) => from <= entry && entry <= to);
}

function placeKey(batch: number, entry: number): string {
  return `${batch} ${entry}`;
}

function entriesIn(batch: SQL.ReadBatch, fates: Fates): StoredEntry[] {
  const times: (string | null)[] = batch.times === null ? [] : JSON.parse(batch.times);
  return entrySpans(batch.entries).flatMap((span, entry) => {
    if (span.status === ENTRY_STATUS.positionOnly) return [];
    // Its payload is gone: the event is known by its counts alone.
    if (span.status === ENTRY_STATUS.stored && span.end > batch.payload.length) return [];
    return [storedEntry(batch, span, entry, times[entry] ?? null, fates)];
  });
}

function storedEntry(
  batch: SQL.ReadBatch,
  span: EntrySpan,
  entry: number,
  reportedAt: string | null,
  fates: Fates,
): StoredEntry {
  const held = fates.held.get(placeKey(batch.id, entry));
  const filed = span.status === ENTRY_STATUS.stored ? batch.payload.slice(span.start, span.end) : (held?.event ?? "{}");
  const source = held?.replay ?? filed;
  const state = stateOf(held, batch.id, entry, fates);
  const { stream } = batch;
  return {
    stream,
    entry,
    state,
    source,
    event: () => ({
      id: held?.event_id ?? storedEventId(stream, batch, entry, span.ordinal, filed),
      kind: kindOf(stream),
      stream,
      producer: batch.producer,
      position: batch.first === null ? null : batch.first + entry,
      batch: batch.id,
      entry,
      source,
      receivedAt: reportedAt ?? new Date(batch.received_at).toISOString(),
      state,
    }),
  };
}

function stateOf(held: SQL.HeldEvent | undefined, batch: number, entry: number, { parts }: Fates): EventState {
  if (held?.state === "open") return "quarantined";
  if (held?.state === "discarded") return "discarded";
  const replay = held?.replay_batch ?? null;
  const carrying =
    held === undefined ? partsWith(parts, batch, entry) : replay === null ? [] : (parts.get(replay) ?? []);
  return carrying.some(({ isDelivered }) => isDelivered) ? "delivered" : "pending";
}
