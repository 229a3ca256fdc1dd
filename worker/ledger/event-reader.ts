/** Reads events back from D1: one by its id, many in their order, and the calls that carried them. */
import type { EventCursor } from "./event-cursor.ts";
import { archivedAttempts, callsOf, eventAt } from "./event-fates.ts";
import type { EventFilter } from "./event-filter.ts";
import { ledgerKey } from "./event-key.ts";
import { type ListOutcome, listEvents } from "./event-list.ts";
import { searchEvent } from "./event-search.ts";
import * as SQL from "./events-sql.ts";
import type { PayloadArchive } from "./payload-archive.ts";
import type { StoredEvent } from "./stored-event.ts";

export type EventAttempt = SQL.CallAttempt;

export type EventOutcome =
  | { readonly kind: "found"; readonly event: StoredEvent }
  | { readonly kind: "missing" }
  /** Not all was looked at: so much came in that it is not in the index yet. */
  | { readonly kind: "behind" };

export interface EventReader {
  /** By its id, however old and whatever makes it known. */
  find(tenant: string, id: string): Promise<EventOutcome>;
  /** What a producer's position holds. */
  findAt(tenant: string, stream: string, producer: string, position: number): Promise<StoredEvent | null>;
  list(tenant: string, filter: EventFilter, cursor: EventCursor, limit: number): Promise<ListOutcome>;
  /** Every attempt of every call that carried the event. */
  attempts(event: StoredEvent): Promise<EventAttempt[]>;
}

export function createEventReader(db: D1Database, archive: PayloadArchive | null): EventReader {
  const eventOf = async (batch: (SQL.ReadBatch & { readonly entry: number }) | null): Promise<StoredEvent | null> =>
    batch === null ? null : eventAt(db, archive, batch, batch.entry);
  return {
    async find(tenant, id) {
      const keyed = await eventOf(await SQL.BY_KEY.first(db, { key: ledgerKey(tenant, id), tenant }));
      if (keyed !== null) return { kind: "found", event: { ...keyed, id } };
      const searched = await searchEvent(db, tenant, id);
      if (searched.kind !== "found") return searched;
      const event = await eventOf(await SQL.BY_PLACE.first(db, { tenant, ...searched.place }));
      // One with an id of its own has no other by its position.
      return event?.id === id ? { kind: "found", event } : { kind: "missing" };
    },
    findAt: async (tenant, stream, producer, position) =>
      eventOf(await SQL.BY_POSITION.first(db, { tenant, stream, producer, position })),
    list: (tenant, filter, cursor, limit) => listEvents(db, archive, tenant, filter, cursor, limit),
    async attempts(event) {
      const earlier = event.departure === null ? [] : await archivedAttempts(db, archive, event);
      const calls = await callsOf(db, event);
      const later = calls.length === 0 ? [] : await SQL.ATTEMPTS.all(db, { shipments: JSON.stringify(calls) });
      const known = new Set(later.map(({ call_key, attempt }) => `${call_key} ${attempt}`));
      return [...earlier.filter(({ call_key, attempt }) => !known.has(`${call_key} ${attempt}`)), ...later];
    },
  };
}
