/**
 * Rows of events, written whole and never changed, and the small rows that say which of them wait.
 * Every row carries a checksum: SQLite would hand out changed bytes of an event without noticing.
 */
import type { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { type EventRun, NO_SCOPE, type Scope } from "../transactions/operations.ts";
import { blob, integer, type Row, text } from "./column.ts";
import { countFitting, sliceRun } from "./event-run.ts";

/** Bytes of event text in one row, unless a single event is larger: reading a row stays cheap. */
export const ROW_BYTES_MAX = 256 * 1024;

/** A run of waiting positions, and where their texts are. */
export interface PendingHead {
  readonly first: number;
  readonly count: number;
  readonly bytes: number;
  readonly batch: number;
  /** Index in the batch of the first of them. */
  readonly skip: number;
  readonly scope: string;
  readonly receivedAt: number;
}

/** A row of events as they came in. */
export interface WrittenRow {
  readonly batch: number;
  readonly first: number;
  readonly count: number;
  readonly scope: string;
  readonly receivedAt: number;
}

export interface StoredEvents {
  readonly events: EventRun;
  /** False where the bytes are not those that were written. */
  readonly sound: boolean;
}

export interface BatchTable {
  /** Writes a run as one or several rows, all of it waiting. */
  insert(stream: number, first: number, scope: string, receivedAt: number, run: EventRun): void;
  /** Writes a run that was given its positions before; small enough for one row. */
  insertAgain(stream: number, first: number, scope: string, receivedAt: number, run: EventRun): void;
  /** Runs that hold waiting positions of `from` to `last`, in order, without their events. */
  heads(stream: number, from: number, last: number, limit: number): PendingHead[];
  /** As `heads`, one at a time; nothing may be written meanwhile. */
  iterateHeads(stream: number, from: number, last: number, limit: number): Iterable<PendingHead>;
  /** Rows in which positions of `from` to `last` were written, waiting or not, as long as any of the row waits. */
  written(stream: number, from: number, last: number): WrittenRow[];
  /** The whole row that a run is part of. */
  events(batch: number): StoredEvents;
  /** Takes waiting positions `from` to `to` (exclusive) of one run off; returns the bytes they took. */
  settle(stream: number, head: PendingHead, from: number, to: number): number;
  /** Whether any event of the batch waits. */
  waits(stream: number, batch: number, head: PendingHead): boolean;
  remove(batch: number): void;
  /** All runs of waiting positions of a stream, in order. */
  waiting(stream: number): Iterable<{ readonly first: number; readonly count: number }>;
  oldest(): number | null;
}

const HEAD = "p.first, p.count, p.bytes, p.batch, p.skip, b.scope, b.received_at";

export function createBatchTable(db: DatabaseSync): BatchTable {
  const insertRow = db.prepare(
    "INSERT INTO batches (stream, first, count, scope, received_at, ends, body, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const selectMark = db.prepare("SELECT coalesce(min(first), 0) AS mark FROM batches WHERE stream = ?");
  const insertPending = db.prepare(
    "INSERT INTO pending (stream, first, count, batch, skip, bytes) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const deletePending = db.prepare("DELETE FROM pending WHERE stream = ? AND first = ?");
  // The run that holds `from` may begin before it: seek to the last one that begins at or below it.
  const selectHeads = db.prepare(
    `SELECT ${HEAD} FROM pending p JOIN batches b ON b.id = p.batch
     WHERE p.stream = ?1 AND p.first <= ?3 AND p.first >= coalesce(
       (SELECT max(first) FROM pending WHERE stream = ?1 AND first <= ?2), ?2)
     ORDER BY p.first LIMIT ?4`,
  );
  // Below zero are the marks of rows whose positions were written before.
  const selectWritten = db.prepare(
    `SELECT id, first, count, scope, received_at FROM batches
     WHERE stream = ?1 AND first <= ?3 AND first >= coalesce(
       (SELECT max(first) FROM batches WHERE stream = ?1 AND first > 0 AND first <= ?2), ?2)
     ORDER BY first`,
  );
  const selectEvents = db.prepare("SELECT ends, body, crc FROM batches WHERE id = ?");
  const selectEnds = db.prepare("SELECT ends FROM batches WHERE id = ?");
  const deleteRow = db.prepare("DELETE FROM batches WHERE id = ?");
  const selectWaiting = db.prepare(
    "SELECT 1 FROM pending WHERE stream = ? AND first >= ? AND first < ? AND batch = ? LIMIT 1",
  );
  const selectPending = db.prepare("SELECT first, count FROM pending WHERE stream = ? ORDER BY first");
  // Rows are numbered as they come in; those that are retained were settled before, so the lowest number that
  // waits is sought among the first runs of each stream.
  const selectOldest = db.prepare(
    `SELECT min(b.received_at) AS at FROM streams s
     JOIN pending p ON p.stream = s.id AND p.first = (SELECT min(first) FROM pending WHERE stream = s.id)
     JOIN batches b ON b.id = p.batch`,
  );
  const endsOf = (batch: number): Uint32Array => wordsOf(blob(selectEnds.get(batch) ?? {}, "ends"));

  function* iterateHeads(stream: number, from: number, last: number, limit: number) {
    for (const row of selectHeads.iterate(stream, from, last, limit)) {
      const head = headOf(row);
      if (head.first + head.count > from) yield head;
    }
  }

  return {
    insert(stream, first, scope, receivedAt, run) {
      for (let from = 0; from < run.ends.length; ) {
        const count = countFitting(run, from, ROW_BYTES_MAX, run.ends.length);
        const part = sliceRun(run, from, from + count);
        const ends = bytesOf(part.ends);
        const { lastInsertRowid } = insertRow.run(
          ...[stream, first + from, count, scope, receivedAt, ends, part.body, checksum(ends, part.body)],
        );
        insertPending.run(stream, first + from, count, lastInsertRowid, 0, part.body.length);
        from += count;
      }
    },
    insertAgain(stream, first, scope, receivedAt, run) {
      const ends = bytesOf(run.ends);
      // Its position may still be in the row it was taken from, and a row's first position is its own: below zero
      // there is room for a number that no other row has.
      const mark = Math.min(0, integer(selectMark.get(stream) ?? {}, "mark")) - 1;
      const row = [stream, mark, run.ends.length, scope, receivedAt, ends, run.body, checksum(ends, run.body)];
      const { lastInsertRowid } = insertRow.run(...row);
      insertPending.run(stream, first, run.ends.length, lastInsertRowid, 0, run.body.length);
    },
    heads: (stream, from, last, limit) => [...iterateHeads(stream, from, last, limit)],
    iterateHeads,
    written: (stream, from, last) =>
      selectWritten.all(stream, from, last).flatMap((row) => {
        const [first, count] = [integer(row, "first"), integer(row, "count")];
        const { scope, receivedAt } = { scope: text(row, "scope"), receivedAt: integer(row, "received_at") };
        return first + count <= from ? [] : [{ batch: integer(row, "id"), first, count, scope, receivedAt }];
      }),
    events(batch) {
      const row = selectEvents.get(batch);
      if (row === undefined) throw new RangeError(`no batch ${batch}`);
      const [ends, body, crc] = [blob(row, "ends"), blob(row, "body"), row["crc"]];
      return { events: { ends: wordsOf(ends), body }, sound: crc === null || crc === checksum(ends, body) };
    },
    settle(stream, head, from, to) {
      deletePending.run(stream, head.first);
      if (from === head.first && to === head.first + head.count) return head.bytes;
      const ends = endsOf(head.batch);
      const pieces = [
        { first: head.first, end: from },
        { first: to, end: head.first + head.count },
      ];
      let kept = 0;
      for (const { first, end } of pieces) {
        if (end <= first) continue;
        const skip = head.skip + first - head.first;
        const bytes = Math.max(0, spanOf(ends, skip, skip + end - first));
        insertPending.run(stream, first, end - first, head.batch, skip, bytes);
        kept += bytes;
      }
      return head.bytes - kept;
    },
    waits(stream, batch, head) {
      const first = head.first - head.skip;
      const last = head.first + head.count + ROW_EVENTS_MAX;
      return selectWaiting.get(stream, first, last, batch) !== undefined;
    },
    remove: (batch) => void deleteRow.run(batch),
    *waiting(stream) {
      for (const row of selectPending.iterate(stream))
        yield { first: integer(row, "first"), count: integer(row, "count") };
    },
    oldest() {
      const at = selectOldest.get()?.["at"];
      return typeof at === "number" ? at : null;
    },
  };
}

/** More events than a row can hold: each takes a byte and a comma at least. */
const ROW_EVENTS_MAX = ROW_BYTES_MAX;

function headOf(row: Row): PendingHead {
  return {
    first: integer(row, "first"),
    count: integer(row, "count"),
    bytes: integer(row, "bytes"),
    batch: integer(row, "batch"),
    skip: integer(row, "skip"),
    scope: text(row, "scope"),
    receivedAt: integer(row, "received_at"),
  };
}

/** Bytes that events `from` to `to` (exclusive) take, commas between them included. */
function spanOf(ends: Uint32Array, from: number, to: number): number {
  const start = from === 0 ? 0 : (ends[from - 1] ?? 0) + 1;
  return (ends[to - 1] ?? 0) - start;
}

function checksum(ends: Uint8Array, body: Uint8Array): number {
  return crc32(body, crc32(ends));
}

function bytesOf(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

/** Copies, because SQLite's bytes need not lie on a four-byte boundary. */
function wordsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(new Uint8Array(bytes.subarray(0, bytes.length & ~3)).buffer);
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
