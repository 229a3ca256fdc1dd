/** Reads events back from D1: one by its id, many in their order, and the calls that carried them. */

import { kindOf } from "../../shared/events/kind.ts";
import { eventId } from "../../shared/identity.ts";
import type { AttemptRow } from "../database/rows.ts";
import type { EventCursor } from "./event-cursor.ts";
import { callsOf, eventsOf } from "./event-fates.ts";
import type { EventFilter } from "./event-filter.ts";
import { ledgerKey } from "./event-key.ts";
import { type ListOutcome, listEvents } from "./event-list.ts";
import * as SQL from "./events-sql.ts";
import type { StoredEvent } from "./stored-event.ts";

export type EventAttempt = AttemptRow;

export interface EventReader {
  find(tenant: string, id: string): Promise<StoredEvent | null>;
  list(tenant: string, filter: EventFilter, cursor: EventCursor, limit: number): Promise<ListOutcome>;
  /** Every attempt of every call that carried the event. */
  attempts(event: StoredEvent): Promise<EventAttempt[]>;
}

/** An event of a producer without an id of its own is found by trying its producers' latest positions. */
const POSITIONS_TRIED_MAX = 50_000;
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
