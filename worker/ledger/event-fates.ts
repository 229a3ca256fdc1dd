/** The events of batches with what became of each: in quarantine, under way, delivered. */
import { kindOf } from "../../shared/events/kind.ts";
import { ENTRY_STATUS, type EntrySpan, entrySpans } from "./entries.ts";
import * as SQL from "./events-sql.ts";
import { ordinalOf } from "./ordinal.ts";
import type { ArchivedAttempt, ArchivedBatch, PayloadArchive } from "./payload-archive.ts";
import { type Departure, type EventState, removedEventId, type StoredEvent, storedEventId } from "./stored-event.ts";

const BY_POSITION = { by: "position", producer: "", position: 0 } as const;

/** An event of a batch with what became of it; who it is costs a hash, and is told where it is asked for. */
export interface StoredEntry {
  readonly stream: string;
  readonly entry: number;
  readonly state: EventState;
  /** Source text; a corrected event's is the correction. Null where it was removed, or cannot be read back. */
  readonly source: string | null;
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

/** The events of batches in their order, by batch: all that are to be found there, or in the archive. */
export async function entriesOf(
  db: D1Database,
  archive: PayloadArchive | null,
  batches: readonly SQL.ReadBatch[],
): Promise<ReadonlyMap<number, readonly StoredEntry[]>> {
  if (batches.length === 0) return new Map();
  const fates = await readFates(
    db,
    batches.map(({ id }) => id),
  );
  const archived = await readArchived(archive, batches);
  return new Map(batches.map((batch) => [batch.id, entriesIn(batch, archived.get(batch.id), fates)]));
}

/** The event at an entry of a batch; null where none is there. */
export async function eventAt(
  db: D1Database,
  archive: PayloadArchive | null,
  batch: SQL.ReadBatch,
  entry: number,
): Promise<StoredEvent | null> {
  const entries = await entriesOf(db, archive, [batch]);
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

/** What the archive has of the attempts of calls that carried an event. */
export async function archivedAttempts(
  db: D1Database,
  archive: PayloadArchive | null,
  { batch, entry }: StoredEvent,
): Promise<ArchivedAttempt[]> {
  if (archive === null) return [];
  const place = await SQL.ARCHIVED.first(db, { batch });
  if (place === null) return [];
  const found = await archive.read([{ batch, archive: place.archive }]);
  return (found.get(batch)?.attempts ?? []).filter(({ from, to }) => from <= entry && entry <= to);
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

/** What the archive has of those batches that left. */
async function readArchived(
  archive: PayloadArchive | null,
  batches: readonly SQL.ReadBatch[],
): Promise<ReadonlyMap<number, ArchivedBatch>> {
  const places = batches.flatMap(({ id, archive: place }) => (place === null ? [] : [{ batch: id, archive: place }]));
  return archive === null || places.length === 0 ? new Map() : archive.read(places);
}

/** A batch as its events are made of: with what the archive has of it, if it left. */
interface WholeBatch extends SQL.ReadBatch {
  readonly spans: readonly EntrySpan[];
  readonly departure: Departure | null;
  /** Its payload is not to be had. */
  readonly isRemoved: boolean;
}

function wholeBatch(batch: SQL.ReadBatch, archived: ArchivedBatch | undefined): WholeBatch {
  if (batch.pruned_at === null)
    return { ...batch, spans: entrySpans(batch.entries), departure: null, isRemoved: false };
  const departure: Departure = {
    kind: batch.archive === null ? "removed" : "archived",
    at: new Date(batch.pruned_at).toISOString(),
  };
  if (archived === undefined) return { ...batch, spans: removedSpans(batch), departure, isRemoved: true };
  const { payload, entries, times } = archived;
  return { ...batch, payload, times, spans: entrySpans(entries), departure, isRemoved: false };
}

/** Of what only its position makes known the row keeps no entries: there is one for each position. */
function removedSpans({ entries, first, last }: SQL.ReadBatch): EntrySpan[] {
  if (entries !== "" || first === null || last === null) return entrySpans(entries);
  const one = { start: 0, end: 0, ordinal: ordinalOf(BY_POSITION), status: ENTRY_STATUS.stored };
  return Array.from({ length: last - first + 1 }, () => one);
}

function entriesIn(read: SQL.ReadBatch, archived: ArchivedBatch | undefined, fates: Fates): StoredEntry[] {
  const batch = wholeBatch(read, archived);
  const times: (string | null)[] = batch.times === null ? [] : JSON.parse(batch.times);
  return batch.spans.flatMap((span, entry) => {
    if (span.status === ENTRY_STATUS.positionOnly) return [];
    // Its payload is gone: the event is known by its counts alone.
    const isCut = !batch.isRemoved && span.end > batch.payload.length;
    if (span.status === ENTRY_STATUS.stored && isCut) return [];
    return [storedEntry(batch, span, entry, times[entry] ?? null, fates)];
  });
}

function storedEntry(
  batch: WholeBatch,
  span: EntrySpan,
  entry: number,
  reportedAt: string | null,
  fates: Fates,
): StoredEntry {
  const held = fates.held.get(placeKey(batch.id, entry));
  const filed = filedText(batch, span, held);
  const source = held?.replay ?? filed;
  const state = stateOf(held, batch, entry, fates);
  const { stream } = batch;
  const idOf = () =>
    filed === null
      ? removedEventId(stream, batch, entry, span.ordinal)
      : storedEventId(stream, batch, entry, span.ordinal, filed);
  return {
    stream,
    entry,
    state,
    source,
    event: () => ({
      id: held?.event_id ?? idOf(),
      kind: kindOf(stream),
      stream,
      producer: batch.producer,
      position: batch.first === null ? null : batch.first + entry,
      batch: batch.id,
      entry,
      source,
      departure: held === undefined ? batch.departure : null,
      receivedAt: reportedAt ?? new Date(batch.received_at).toISOString(),
      state,
    }),
  };
}

/** The event as it was filed; quarantine keeps its own for ever. */
function filedText(batch: WholeBatch, { status, start, end }: EntrySpan, held: SQL.HeldEvent | undefined) {
  if (batch.isRemoved) return held?.event ?? null;
  return status === ENTRY_STATUS.stored ? batch.payload.slice(start, end) : (held?.event ?? "{}");
}

function stateOf(
  held: SQL.HeldEvent | undefined,
  { id: batch, pruned_at }: SQL.ReadBatch,
  entry: number,
  { parts }: Fates,
): EventState {
  if (held?.state === "open") return "quarantined";
  if (held?.state === "discarded") return "discarded";
  // Nothing leaves before all of its batch was delivered or settled.
  if (held === undefined && pruned_at !== null) return "delivered";
  const replay = held?.replay_batch ?? null;
  const carrying =
    held === undefined ? partsWith(parts, batch, entry) : replay === null ? [] : (parts.get(replay) ?? []);
  return carrying.some(({ isDelivered }) => isDelivered) ? "delivered" : "pending";
}
