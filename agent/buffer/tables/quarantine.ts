/** Events nobody takes as they are: kept whole, with the reason as whoever rejected them gave it. */
import type { DatabaseSync } from "node:sqlite";
import { DAMAGED } from "./event-run.ts";
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
  /** As it was sent last. */
  readonly event: Uint8Array;
  readonly reason: QuarantineReason;
  /** When it was held last: milliseconds since 1970. */
  readonly at: number;
  readonly state: QuarantineState;
  readonly discardReason: string | null;
  /** As it was before it was corrected; null where it never was. */
  readonly original: Uint8Array | null;
  /** How often it was retried. */
  readonly attempts: number;
  /** How many reasons it had before this one: a retry that is refused again is a reason more of the same entry. */
  readonly earlierReasons: number;
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

export interface QuarantineHistory {
  readonly position: number;
  readonly taken: Uint8Array | null;
  readonly sent: Uint8Array | null;
}

export interface QuarantineTable {
  /** Holds an event whose position is new. */
  insert(entry: QuarantineEntry): void;
  /** Holds an event that waited: in the entry from which it was retried, where it was, with the newest reason and time. */
  hold(entry: QuarantineEntry): void;
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
  /** Each position that ever was in quarantine, in order: the event as it was taken in, null where it may have changed on disk since, and as it was sent last, null where it is held. */
  histories(stream: number): Iterable<QuarantineHistory>;
  /** Positions sent from quarantine between two, and not held since, in order. */
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
    `UPDATE quarantine SET state = 'retried', corrected = coalesce(:corrected, corrected), scope = :scope,
       attempts = attempts + 1 WHERE id = :id`,
  );
  const newestSent = query(
    db,
    ["id"],
    `SELECT id FROM quarantine WHERE stream = :stream AND position = :position AND state = 'retried'
     ORDER BY id DESC LIMIT 1`,
  );
  const heldAgain = statement(
    db,
    `UPDATE quarantine SET state = 'held', reason = :reason, quarantined_at = :at, earlier_reasons = earlier_reasons + 1
     WHERE id = :id`,
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
    `SELECT position FROM quarantine AS q
     WHERE stream = :stream AND position BETWEEN :first AND :last AND state = 'retried' AND NOT EXISTS
       (SELECT 1 FROM quarantine AS newer
        WHERE newer.stream = q.stream AND newer.position = q.position AND newer.id > q.id)
     ORDER BY position`,
  );
  // Of a position with several entries, which older versions made, the first holds what was taken in.
  const histories = query(
    db,
    ["position", "event", "corrected", "state", "damaged"],
    `SELECT q.position, (SELECT event FROM quarantine WHERE stream = q.stream AND position = q.position ORDER BY id LIMIT 1) AS event,
       coalesce(q.corrected, q.event) AS corrected, q.state, EXISTS (SELECT 1 FROM quarantine
         WHERE stream = q.stream AND position = q.position AND reason ->> 'code' = '${DAMAGED}') AS damaged
     FROM quarantine AS q WHERE q.stream = :stream AND NOT EXISTS (SELECT 1 FROM quarantine AS newer
       WHERE newer.stream = q.stream AND newer.position = q.position AND newer.id > q.id)
     ORDER BY q.position`,
  );
  const insertEntry = ({ reason, ...entry }: QuarantineEntry): void =>
    void insert.run({ ...entry, reason: JSON.stringify(reason) });
  return {
    insert: insertEntry,
    hold(entry) {
      const sent = newestSent.get({ stream: entry.stream, position: entry.position });
      if (sent === null) insertEntry(entry);
      else heldAgain.run({ id: sent.id, reason: JSON.stringify(entry.reason), at: entry.at });
    },
    held: (id) => heldOf(held.get({ id })),
    retried: (id, corrected, scope) => void retried.run({ corrected, id, scope }),
    discarded: (id, reason) => void discarded.run({ reason, id }),
    list(state, after, limit) {
      const rows = state === null ? listAll.iterate({ after, limit }) : listOf.iterate({ state, after, limit });
      const events: QuarantinedEvent[] = [];
      let bytes = 0;
      for (const row of rows) {
        events.push(listedOf(row));
        bytes += row.event.length + (row.corrected?.length ?? 0);
        if (bytes > LIST_BYTES_MAX) break;
      }
      return events;
    },
    lastSent: (stream, position) => heldOf(lastSent.get({ stream, position })),
    *withheld(stream) {
      for (const { position } of withheld.iterate({ stream })) yield position;
    },
    *histories(stream) {
      for (const { position, event, corrected, state, damaged } of histories.iterate({ stream })) {
        const taken = damaged === 1 ? null : event;
        yield { position, taken, sent: state === "retried" ? (corrected ?? event) : null };
      }
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
  "corrected",
  "reason",
  "state",
  "quarantined_at",
  "discard_reason",
  "attempts",
  "earlier_reasons",
] as const;
const SELECT_LISTED = `SELECT q.id, s.name, q.position, q.scope, q.event, q.corrected, q.reason, q.state, q.quarantined_at,
    q.discard_reason, q.attempts, q.earlier_reasons
  FROM quarantine q JOIN streams s ON s.id = q.stream`;

function listedOf(row: Row<(typeof LISTED)[number]>): QuarantinedEvent {
  return {
    id: row.id,
    stream: row.name,
    position: row.position,
    scope: parseScope(row.scope),
    event: row.corrected ?? row.event,
    original: row.corrected === null ? null : row.event,
    reason: JSON.parse(row.reason) as QuarantineReason,
    at: row.quarantined_at,
    // The table's own check lets no other in.
    state: row.state as QuarantineState,
    discardReason: row.discard_reason,
    attempts: row.attempts,
    earlierReasons: row.earlier_reasons,
  };
}
