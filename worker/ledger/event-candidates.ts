/**
 * Where a list begins to look. What is asked for may be rare: then the few batches that can hold it are named by an
 * index, instead of found among all. Where there are too many of them for one page, they are not rare.
 */
import type { EventFilter } from "./event-filter.ts";
import { type Places, placesOfKey, placesOfOwnId } from "./event-places.ts";
import * as SQL from "./events-sql.ts";

export type Search =
  /** Nowhere else. */
  | { readonly kind: "places"; readonly places: Places }
  /** Anywhere in some streams, but in no batch below an id, by stream. */
  | { readonly kind: "walk"; readonly streams: readonly string[]; readonly since: ReadonlyMap<string, number> };

/** Batches named for one page. */
const CANDIDATES_MAX = 500;

export async function searchFor(
  db: D1Database,
  tenant: string,
  streams: readonly string[],
  filter: EventFilter,
): Promise<Search> {
  const anywhere: Search = { kind: "walk", streams, since: new Map() };
  if (streams.length === 0) return anywhere;
  const places = (await identified(db, tenant, streams, filter)) ?? (await named(db, tenant, streams, filter));
  if (places !== null) return { kind: "places", places };
  if (filter.state !== "pending") return anywhere;
  const rows = await SQL.WAITS_SINCE.all(db, { tenant, streams: JSON.stringify(streams) });
  // Where nothing waits there is nothing to look at, and no mark to move: more may come.
  const since = new Map(rows.flatMap((row) => (row.since === null ? [] : [[row.stream, row.since]])));
  return { kind: "walk", streams: [...since.keys()], since };
}

/** By what makes an event known; null where nothing of that is asked for. */
async function identified(
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

/** By producer or state; null where neither names few enough. */
async function named(
  db: D1Database,
  tenant: string,
  streams: readonly string[],
  { producer, state }: EventFilter,
): Promise<Places | null> {
  const of = { tenant, streams: JSON.stringify(streams), count: CANDIDATES_MAX + 1 };
  const statements = [
    ...(producer === null ? [] : [SQL.OF_PRODUCER.bind(db, { ...of, producer })]),
    ...(state === null ? [] : ofState(db, of, state)),
  ];
  if (statements.length === 0) return null;
  const found = (await db.batch<SQL.Candidate>(statements)).map(({ results }) => results);
  const [fewest] = found.sort((a, b) => a.length - b.length);
  if (fewest === undefined || fewest.length > CANDIDATES_MAX) return null;
  return new Map(fewest.map(({ batch }) => [batch, null]));
}

/** None for what is the fate of most. */
function ofState(
  db: D1Database,
  of: { readonly tenant: string; readonly streams: string; readonly count: number },
  state: NonNullable<EventFilter["state"]>,
): D1PreparedStatement[] {
  const { tenant, count } = of;
  switch (state) {
    case "pending":
      return [SQL.PENDING.bind(db, of)];
    case "quarantined":
      return [SQL.IN_QUARANTINE.bind(db, { tenant, count, state: "open" })];
    case "discarded":
      return [SQL.IN_QUARANTINE.bind(db, { tenant, count, state: "discarded" })];
    case "delivered":
      return [];
  }
}
