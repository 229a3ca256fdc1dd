/** Events nobody takes as they are: kept whole, with the reason as whoever rejected them gave it. */
import type { DatabaseSync } from "node:sqlite";
import { query, type Row, statement } from "./rows.ts";
import { parseScope, type Scope } from "./scope.ts";

/** Why an event is in quarantine. */
export interface QuarantineReason {
  /** The destination's status, 400 for what the agent itself rejected, 200 for a conflict. */
  readonly status: number;
  readonly code?: number | string;
  readonly message: string;
  readonly index?: number;
  readonly field?: string;
}

export type QuarantineState = "held" | "retried" | "discarded";

export interface QuarantinedEvent {
  readonly id: number;
  readonly stream: string;
  readonly position: number;
  readonly scope: Scope;
  readonly event: Uint8Array;
  readonly reason: QuarantineReason;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly state: QuarantineState;
  readonly discardReason: string | null;
}

export interface QuarantineEntry {
  readonly stream: number;
  readonly position: number;
  readonly scope: string;
  readonly receivedAt: number;
  readonly event: Uint8Array;
  readonly reason: QuarantineReason;
  readonly at: number;
}

/** One held event, as the log needs it to let it go. */
export interface HeldEvent {
  readonly stream: number;
  readonly streamName: string;
  readonly position: number;
  readonly scope: string;
  readonly receivedAt: number;
  readonly event: Uint8Array;
}

export interface QuarantineTable {
  insert(entry: QuarantineEntry): void;
  /** Null where there is no such event, or it is held no longer. */
  held(id: number): HeldEvent | null;
  /** @param corrected null leaves the text that is sent as it is. */
  retried(id: number, corrected: Uint8Array | null, scope: string): void;
  discarded(id: number, reason: string): void;
  list(state: QuarantineState | null, after: number, limit: number): QuarantinedEvent[];
  /** What was last sent from quarantine under a position. */
  lastSent(stream: number, position: number): HeldEvent | null;
  /** Positions that nobody has sent: held or discarded, in order. */
  withheld(stream: number): Iterable<number>;
  /** Positions sent from quarantine between two, in order. */
  sent(stream: number, first: number, last: number): number[];
}

/** Of event text in one list; what follows is asked for by the next. */
const LIST_BYTES_MAX = 4 * 1024 * 1024;

export function createQuarantineTable(db: DatabaseSync): QuarantineTable {
  const insert = statement(
    db,
    `INSERT INTO quarantine (stream, position, scope, received_at, event, reason, state, quarantined_at)
     VALUES (:stream, :position, :scope, :receivedAt, :event, :reason, 'held', :at)`,
  );
  const retried = statement(
    db,
    `UPDATE quarantine SET state = 'retried', corrected = coalesce(:corrected, corrected), scope = :scope WHERE id = :id`,
  );
  const discarded = statement(db, "UPDATE quarantine SET state = 'discarded', discard_reason = :reason WHERE id = :id");
  const held = query(db, HELD, `${SELECT_HELD} WHERE q.id = :id AND q.state = 'held'`);
  const lastSent = query(
    db,
    HELD,
    `${SELECT_HELD} WHERE q.stream = :stream AND q.position = :position AND q.state = 'retried'
     ORDER BY q.id DESC LIMIT 1`,
  );
  const listOf = query(
    db,
    LISTED,
    `${SELECT_LISTED} WHERE q.state = :state AND q.id > :after ORDER BY q.id LIMIT :limit`,
  );
  const listAll = query(db, LISTED, `${SELECT_LISTED} WHERE q.id > :after ORDER BY q.id LIMIT :limit`);
  const withheld = query(
    db,
    ["position"],
    "SELECT position FROM quarantine WHERE stream = :stream AND state <> 'retried' ORDER BY position",
  );
  const sentBetween = query(
    db,
    ["position"],
    `SELECT DISTINCT position FROM quarantine
     WHERE stream = :stream AND position BETWEEN :first AND :last AND state = 'retried' ORDER BY position`,
  );
  return {
    insert: ({ reason, ...entry }) => void insert.run({ ...entry, reason: JSON.stringify(reason) }),
    held: (id) => heldOf(held.get({ id })),
    retried: (id, corrected, scope) => void retried.run({ corrected, id, scope }),
    discarded: (id, reason) => void discarded.run({ reason, id }),
    list(state, after, limit) {
      const rows = state === null ? listAll.iterate({ after, limit }) : listOf.iterate({ state, after, limit });
      const events: QuarantinedEvent[] = [];
      let bytes = 0;
      for (const row of rows) {
        events.push(listedOf(row));
        bytes += row.event.length;
        if (bytes > LIST_BYTES_MAX) break;
      }
      return events;
    },
    lastSent: (stream, position) => heldOf(lastSent.get({ stream, position })),
    *withheld(stream) {
      for (const { position } of withheld.iterate({ stream })) yield position;
    },
    sent: (stream, first, last) => sentBetween.all({ stream, first, last }).map(({ position }) => position),
  };
}

const HELD = ["stream", "name", "position", "scope", "received_at", "event"] as const;
const SELECT_HELD = `SELECT q.stream, s.name, q.position, q.scope, q.received_at, coalesce(q.corrected, q.event) AS event
  FROM quarantine q JOIN streams s ON s.id = q.stream`;

function heldOf(row: Row<(typeof HELD)[number]> | null): HeldEvent | null {
  if (row === null) return null;
  const { stream, name: streamName, position, scope, received_at: receivedAt, event } = row;
  return { stream, streamName, position, scope, receivedAt, event };
}

const LISTED = [
  "id",
  "name",
  "position",
  "scope",
  "event",
  "reason",
  "state",
  "quarantined_at",
  "discard_reason",
] as const;
const SELECT_LISTED = `SELECT q.id, s.name, q.position, q.scope, q.event, q.reason, q.state, q.quarantined_at, q.discard_reason
  FROM quarantine q JOIN streams s ON s.id = q.stream`;

function listedOf(row: Row<(typeof LISTED)[number]>): QuarantinedEvent {
  return {
    id: row.id,
    stream: row.name,
    position: row.position,
    scope: parseScope(row.scope),
    event: row.event,
    reason: JSON.parse(row.reason) as QuarantineReason,
    at: row.quarantined_at,
    // The table's own check lets no other in.
    state: row.state as QuarantineState,
    discardReason: row.discard_reason,
  };
}
