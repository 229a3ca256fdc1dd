/** Rows of pending events: written whole, cut when a part of them is settled. */
import type { DatabaseSync } from "node:sqlite";
import { blob, integer, type Row, text } from "./column.ts";
import { countFitting, sliceRun } from "./event-run.ts";
import { type EventRun, NO_SCOPE, type Scope } from "./operations.ts";

/** Bytes of event text in one row, unless a single event is larger: reading or cutting a row stays cheap. */
export const ROW_BYTES_MAX = 256 * 1024;

export interface BatchHead {
  readonly id: number;
  readonly first: number;
  readonly count: number;
  readonly bytes: number;
  readonly scope: string;
  readonly receivedAt: number;
}

export interface BatchTable {
  /** Writes a run as one or several rows. */
  insert(stream: number, first: number, scope: string, receivedAt: number, run: EventRun): void;
  /** Rows that hold positions of `from` to `last`, in order, without their events. */
  heads(stream: number, from: number, last: number, limit: number): BatchHead[];
  events(id: number): EventRun;
  remove(id: number): void;
  /** Puts a shorter run into a row that keeps its number, and so its place in age. */
  replace(id: number, first: number, run: EventRun): void;
  oldest(): number | null;
}

const HEAD = "id, first, count, length(body) AS bytes, scope, received_at";

export function createBatchTable(db: DatabaseSync): BatchTable {
  const insertRow = db.prepare(
    "INSERT INTO batches (stream, first, count, scope, received_at, ends, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
  );
  // The row that holds `from` may begin before it: seek to the last one that begins at or below it.
  const selectHeads = db.prepare(
    `SELECT ${HEAD} FROM batches WHERE stream = ?1 AND first <= ?3 AND first >= coalesce(
       (SELECT max(first) FROM batches WHERE stream = ?1 AND first <= ?2), ?2)
     ORDER BY first LIMIT ?4`,
  );
  const selectEvents = db.prepare("SELECT ends, body FROM batches WHERE id = ?");
  const deleteRow = db.prepare("DELETE FROM batches WHERE id = ?");
  const updateRow = db.prepare("UPDATE batches SET first = ?, count = ?, ends = ?, body = ? WHERE id = ?");
  // Rows are numbered as they come in, so the lowest number is the oldest (but for the rear part of a row cut
  // in two, which counts as new: good enough for a gauge).
  const selectOldest = db.prepare("SELECT received_at FROM batches ORDER BY id LIMIT 1");

  return {
    insert(stream, first, scope, receivedAt, run) {
      for (let from = 0; from < run.ends.length; ) {
        const count = countFitting(run, from, ROW_BYTES_MAX, run.ends.length);
        const part = sliceRun(run, from, from + count);
        insertRow.run(stream, first + from, count, scope, receivedAt, bytesOf(part.ends), part.body);
        from += count;
      }
    },
    heads: (stream, from, last, limit) =>
      selectHeads
        .all(stream, from, last, limit)
        .map(headOf)
        .filter((head) => head.first + head.count > from),
    events(id) {
      const row = selectEvents.get(id);
      if (row === undefined) throw new RangeError(`no batch ${id}`);
      return { ends: wordsOf(blob(row, "ends")), body: blob(row, "body") };
    },
    remove: (id) => void deleteRow.run(id),
    replace: (id, first, run) => void updateRow.run(first, run.ends.length, bytesOf(run.ends), run.body, id),
    oldest() {
      const row = selectOldest.get();
      return row === undefined ? null : integer(row, "received_at");
    },
  };
}

function headOf(row: Row): BatchHead {
  return {
    id: integer(row, "id"),
    first: integer(row, "first"),
    count: integer(row, "count"),
    bytes: integer(row, "bytes"),
    scope: text(row, "scope"),
    receivedAt: integer(row, "received_at"),
  };
}

function bytesOf(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

/** Copies, because SQLite's bytes need not lie on a four-byte boundary. */
function wordsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.slice().buffer);
}

/** A scope as the text its column holds. */
export function scopeText(scope: Scope): string {
  const { entityIds, orgIds, platformId } = scope;
  if (platformId !== null) return JSON.stringify([entityIds, orgIds, platformId]);
  return entityIds === null && orgIds === null ? "" : JSON.stringify([entityIds, orgIds]);
}

export function parseScope(column: string): Scope {
  if (column === "") return NO_SCOPE;
  const [entityIds, orgIds, platformId = null] = JSON.parse(column) as [string | null, string | null, string?];
  return { entityIds, orgIds, platformId };
}
