/**
 * Finds an event of a producer by its id: in the index by a few seeks, among what is not in it yet by computing. A
 * place counts only where the id computed anew from what is filed there is the one looked for.
 */
import { kindOf } from "../../shared/events/kind.ts";
import { eventId, lastDigitsOf, PositionDigits } from "../../shared/identity.ts";
import { positionsOf, SLICE_STREAMS, waitingOf } from "./event-index.ts";
import { entryMark, LEVEL_MAX, type Place, partOf, placesIn } from "./index-entries.ts";
import * as SQL from "./index-sql.ts";

export type SearchOutcome =
  | { readonly kind: "found"; readonly place: Place }
  | { readonly kind: "missing" }
  /** So much is not in the index yet that not all of it was looked at. */
  | { readonly kind: "behind" };

/** Text read from a block behind the first entry that may be meant: a hundred entries of the same digits. */
const FOUND_LENGTH = 2_000;
/** Of what is not in the index yet so many batches are looked at, the newest of each stream, and so many ids computed. */
const BATCHES_TRIED = 1_000;
const IDS_TRIED = 20_000;

/** @param id an event's id; any other text is of none. */
export async function searchEvent(db: D1Database, tenant: string, id: string): Promise<SearchOutcome> {
  const digits = lastDigitsOf(id);
  if (digits === null) return { kind: "missing" };
  const levels = Array.from({ length: LEVEL_MAX + 1 }, (_, level) => [level, partOf(digits, level)]);
  const wanted = { tenant, parts: JSON.stringify(levels), mark: entryMark(digits), length: FOUND_LENGTH };
  // In one batch: what moves into the index meanwhile is looked at where these marks say it is.
  const [blocks, waitingRows] = await db.batch([SQL.FIND.bind(db, wanted), waitingOf(db, tenant)]);
  const places = SQL.FIND.rows(blocks).flatMap(({ found }) => placesIn(found, digits));
  const waiting = SQL.WAITING.rows(waitingRows);
  const indexed = await placeOf(db, tenant, id, places);
  if (indexed !== null) return { kind: "found", place: indexed };
  if (waiting.length === 0) return { kind: "missing" };
  const tried = await tryWaiting(db, tenant, waiting, digits);
  const place = await placeOf(db, tenant, id, tried.places);
  if (place !== null) return { kind: "found", place };
  return { kind: tried.isAll ? "missing" : "behind" };
}

/** The one of some places that holds an id. */
async function placeOf(db: D1Database, tenant: string, id: string, places: readonly Place[]): Promise<Place | null> {
  if (places.length === 0) return null;
  const pairs = JSON.stringify(places.map(({ batch, entry }) => [batch, entry]));
  for (const { batch, entry, stream, producer, first } of await SQL.AT.all(db, { tenant, places: pairs })) {
    const position = first + entry;
    if (eventId(kindOf(stream), stream, { by: "position", producer, position }) === id) return { batch, entry };
  }
  return null;
}

async function tryWaiting(
  db: D1Database,
  tenant: string,
  waiting: readonly SQL.WaitingStream[],
  digits: number,
): Promise<{ readonly places: Place[]; readonly isAll: boolean }> {
  const marks = JSON.stringify(waiting.map(({ stream, mark }) => [stream, mark]));
  const count = Math.max(1, Math.floor(BATCHES_TRIED / waiting.length));
  const rows = await SQL.NEWEST.all(db, { tenant, marks, count });
  const places: Place[] = [];
  let left = IDS_TRIED;
  for (const batch of rows.sort((a, b) => b.seq - a.seq)) {
    const { stream, producer } = batch;
    if (producer === null) continue;
    const { first, length } = positionsOf(batch);
    const tried = Math.min(length, left);
    const digitsOf = new PositionDigits(kindOf(stream), stream, producer);
    for (let entry = length - tried; entry < length; entry++) {
      if (digitsOf.of(first + entry) === digits) places.push({ batch: batch.id, entry });
    }
    left -= length;
    if (left < 0) break;
  }
  const isFull = [...Map.groupBy(rows, ({ stream }) => stream).values()].some((share) => share.length === count);
  return { places, isAll: left >= 0 && !isFull && waiting.length < SLICE_STREAMS };
}
