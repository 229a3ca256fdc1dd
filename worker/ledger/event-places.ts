/** Where events are filed that are known by something other than their id: an own id, or their request's key. */
import { kindOf } from "../../shared/events/kind.ts";
import { eventId, type Identity } from "../../shared/identity.ts";
import { ledgerKey } from "./event-key.ts";
import * as SQL from "./events-sql.ts";

/** Of a request's events so many are looked for first by its key; where one is found, so many more, and so on. */
const FIRST_INDEXES = 100;
const FURTHER_INDEXES = 1_000;
const INDEXES_MAX = 10_000;

/** Of the ids that a stream's requests named so many sets are tried. */
const SENT_IDS_MAX = 100;

/** The entries of batches that are asked for; null for all of a batch. */
export type Places = ReadonlyMap<number, ReadonlySet<number> | null>;

export async function placesOfOwnId(
  db: D1Database,
  tenant: string,
  streams: readonly string[],
  id: string,
): Promise<Places> {
  const places = new Map<number, Set<number>>();
  const names = await namesOf(db, tenant, streams);
  for (const { batch, entry } of await placesOf(db, tenant, names, [{ by: "id", id }])) {
    places.set(batch, (places.get(batch) ?? new Set()).add(entry));
  }
  return places;
}

/** Batches of the requests that came with a key, as far as it gave events their identity. */
export async function placesOfKey(
  db: D1Database,
  tenant: string,
  streams: readonly string[],
  key: string,
): Promise<Places> {
  const batches = new Set<number>();
  for (const name of await namesOf(db, tenant, streams)) {
    for (let from = 0, to = FIRST_INDEXES; from < INDEXES_MAX; from = to, to += FURTHER_INDEXES) {
      const identities = Array.from({ length: to - from }, (_, i): Identity => ({ by: "key", key, index: from + i }));
      const found = await placesOf(db, tenant, [name], identities);
      if (found.length === 0) break;
      for (const { batch } of found) batches.add(batch);
    }
  }
  return new Map([...batches].map((batch) => [batch, null]));
}

/** A stream, and ids that its requests named: an identity means an event only with both. */
interface NameSpace {
  readonly stream: string;
  readonly sentIds: string;
}

async function namesOf(db: D1Database, tenant: string, streams: readonly string[]): Promise<NameSpace[]> {
  if (streams.length === 0) return [];
  const found = await db.batch(streams.map((stream) => SQL.SENT_IDS.bind(db, { tenant, stream, count: SENT_IDS_MAX })));
  return streams.flatMap((stream, i) =>
    ["", ...SQL.SENT_IDS.rows(found[i]).map(({ ids }) => ids)].map((sentIds) => ({ stream, sentIds })),
  );
}

function placesOf(db: D1Database, tenant: string, names: readonly NameSpace[], identities: readonly Identity[]) {
  const keys = names.flatMap(({ stream, sentIds }) =>
    identities.map((identity) => ledgerKey(tenant, eventId(kindOf(stream), stream, identity, sentIds))),
  );
  return SQL.PLACES.all(db, { keys: JSON.stringify(keys) });
}
