/** Events nobody takes as they are: kept whole, with the reason in the refuser's own words. */
import type { DatabaseSync } from "node:sqlite";
import type { QuarantinedEvent, QuarantineReason, QuarantineState } from "../transactions/operations.ts";
import { blob, integer, type Row, text } from "./column.ts";

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
  retried(id: number, corrected: Uint8Array | null): void;
  discarded(id: number, reason: string): void;
  list(state: QuarantineState | null, after: number, limit: number): QuarantinedEvent[];
  /** What was last sent from quarantine under a position. */
  lastSent(stream: number, position: number): HeldEvent | null;
  /** Positions that nobody has sent: held or discarded, in order. */
  withheld(stream: number): Iterable<number>;
  /** Positions sent from quarantine between two, in order. */
  sent(stream: number, first: number, last: number): number[];
}

const BATCH_BYTES_MAX = 4 * 1024 * 1024;

export function createQuarantineTable(db: DatabaseSync): QuarantineTable {
  const insert = db.prepare(
    `INSERT INTO quarantine (stream, position, scope, received_at, event, reason, state, quarantined_at)
     VALUES (?, ?, ?, ?, ?, ?, 'held', ?)`,
  );
  const HELD = `SELECT q.stream, s.name, q.position, q.scope, q.received_at, coalesce(q.corrected, q.event) AS event
     FROM quarantine q JOIN streams s ON s.id = q.stream`;
  const selectHeld = db.prepare(`${HELD} WHERE q.id = ? AND q.state = 'held'`);
  const selectSent = db.prepare(
    `${HELD} WHERE q.stream = ? AND q.position = ? AND q.state = 'retried' ORDER BY q.id DESC LIMIT 1`,
  );
  const retried = db.prepare("UPDATE quarantine SET state = 'retried', corrected = ? WHERE id = ?");
  const discarded = db.prepare("UPDATE quarantine SET state = 'discarded', discard_reason = ? WHERE id = ?");
  const LIST = `SELECT q.id, s.name, q.position, q.event, q.reason, q.state, q.quarantined_at, q.discard_reason
     FROM quarantine q JOIN streams s ON s.id = q.stream WHERE`;
  const listOf = db.prepare(`${LIST} q.state = ? AND q.id > ? ORDER BY q.id LIMIT ?`);
  const listAll = db.prepare(`${LIST} q.id > ? ORDER BY q.id LIMIT ?`);
  const selectWithheld = db.prepare(
    "SELECT position FROM quarantine WHERE stream = ? AND state <> 'retried' ORDER BY position",
  );
  const selectSentBetween = db.prepare(
    `SELECT DISTINCT position FROM quarantine WHERE stream = ? AND position BETWEEN ? AND ? AND state = 'retried'
     ORDER BY position`,
  );
  return {
    insert({ stream, position, scope, receivedAt, event, reason, at }) {
      insert.run(stream, position, scope, receivedAt, event, JSON.stringify(reason), at);
    },
    held(id) {
      const row = selectHeld.get(id);
      return row === undefined ? null : heldOf(row);
    },
    retried: (id, corrected) => void retried.run(corrected, id),
    discarded: (id, reason) => void discarded.run(reason, id),
    list(state, after, limit) {
      const rows = state === null ? listAll.iterate(after, limit) : listOf.iterate(state, after, limit);
      const events: QuarantinedEvent[] = [];
      let bytes = 0;
      for (const row of rows) {
        const event = listedOf(row);
        events.push(event);
        bytes += event.event.length;
        if (bytes > BATCH_BYTES_MAX) break;
      }
      return events;
    },
    lastSent(stream, position) {
      const row = selectSent.get(stream, position);
      return row === undefined ? null : heldOf(row);
    },
    *withheld(stream) {
      for (const row of selectWithheld.iterate(stream)) yield integer(row, "position");
    },
    sent: (stream, first, last) => selectSentBetween.all(stream, first, last).map((row) => integer(row, "position")),
  };
}

function heldOf(row: Row): HeldEvent {
  return {
    stream: integer(row, "stream"),
    streamName: text(row, "name"),
    position: integer(row, "position"),
    scope: text(row, "scope"),
    receivedAt: integer(row, "received_at"),
    event: blob(row, "event"),
  };
}

function listedOf(row: Row): QuarantinedEvent {
  const discardReason = row["discard_reason"];
  return {
    id: integer(row, "id"),
    stream: text(row, "name"),
    position: integer(row, "position"),
    event: blob(row, "event"),
    reason: JSON.parse(text(row, "reason")) as QuarantineReason,
    at: integer(row, "quarantined_at"),
    state: text(row, "state") as QuarantineState,
    discardReason: typeof discardReason === "string" ? discardReason : null,
  };
}
