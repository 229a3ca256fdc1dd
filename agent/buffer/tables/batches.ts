/**
 * Rows of events, written whole and never changed, and the small rows that say which of them wait.
 * Every row carries a checksum: SQLite would hand out changed bytes of an event without noticing.
 */
import type { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import type { EventRun } from "./event-run.ts";
import { countFitting, sliceRun } from "./event-run.ts";
import { number, query, type Row, statement } from "./rows.ts";

/** Bytes of event text in one row, unless a single event is larger: reading a row stays cheap. */
export const ROW_BYTES_MAX = 256 * 1024;

/** Whose events a row holds, and since when. */
export interface Origin {
  readonly scope: string;
  readonly receivedAt: number;
}

/** A run of waiting positions, and where their texts are. */
export interface PendingHead extends Origin {
  readonly first: number;
  readonly count: number;
  readonly bytes: number;
  readonly batch: number;
  /** Index in the batch of the first of them. */
  readonly skip: number;
}

/** A row of events as they came in. */
export interface WrittenRow extends Origin {
  readonly batch: number;
  readonly first: number;
  readonly count: number;
}

export interface StoredEvents {
  readonly events: EventRun;
  /** False where the bytes are not those that were written. */
  readonly sound: boolean;
}

export interface BatchTable {
  /** Writes a run as one or several rows, all of it waiting. */
  insert(stream: number, first: number, origin: Origin, run: EventRun): void;
  /** Writes a run that was given its positions before; small enough for one row. */
  insertAgain(stream: number, first: number, origin: Origin, run: EventRun): void;
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

export function createBatchTable(db: DatabaseSync): BatchTable {
  const insertRow = statement(
    db,
    `INSERT INTO batches (stream, first, count, scope, received_at, ends, body, crc)
     VALUES (:stream, :first, :count, :scope, :receivedAt, :ends, :body, :crc)`,
  );
  const lowestFirst = number(db, "SELECT coalesce(min(first), 0) FROM batches WHERE stream = :stream");
  const insertPending = statement(
    db,
    `INSERT INTO pending (stream, first, count, batch, skip, bytes)
     VALUES (:stream, :first, :count, :batch, :skip, :bytes)`,
  );
  const deletePending = statement(db, "DELETE FROM pending WHERE stream = :stream AND first = :first");
  // The run that holds `from` may begin before it: seek to the last one that begins at or below it.
  const heads = query(
    db,
    HEAD,
    `SELECT p.first, p.count, p.bytes, p.batch, p.skip, b.scope, b.received_at
     FROM pending p JOIN batches b ON b.id = p.batch
     WHERE p.stream = :stream AND p.first <= :last AND p.first >= coalesce(
       (SELECT max(first) FROM pending WHERE stream = :stream AND first <= :from), :from)
     ORDER BY p.first LIMIT :limit`,
  );
  // Below zero are the marks of rows whose positions were written before.
  const written = query(
    db,
    ["id", "first", "count", "scope", "received_at"],
    `SELECT id, first, count, scope, received_at FROM batches
     WHERE stream = :stream AND first <= :last AND first >= coalesce(
       (SELECT max(first) FROM batches WHERE stream = :stream AND first > 0 AND first <= :from), :from)
     ORDER BY first`,
  );
  const eventsOf = query(db, ["ends", "body", "crc"], "SELECT ends, body, crc FROM batches WHERE id = :batch");
  const selectEnds = query(db, ["ends"], "SELECT ends FROM batches WHERE id = :batch");
  const deleteRow = statement(db, "DELETE FROM batches WHERE id = :batch");
  const waitingIn = query(
    db,
    ["first"],
    "SELECT first FROM pending WHERE stream = :stream AND first >= :from AND first < :end AND batch = :batch LIMIT 1",
  );
  const waiting = query(
    db,
    ["first", "count"],
    "SELECT first, count FROM pending WHERE stream = :stream ORDER BY first",
  );
  // Rows are numbered as they come in; those that are retained were settled before, so the lowest number that
  // waits is sought among the first runs of each stream.
  const oldest = query(
    db,
    ["received_at"],
    `SELECT b.received_at FROM streams s
     JOIN pending p ON p.stream = s.id AND p.first = (SELECT min(first) FROM pending WHERE stream = s.id)
     JOIN batches b ON b.id = p.batch ORDER BY b.received_at LIMIT 1`,
  );
  const rowOf = (batch: number) => {
    const row = eventsOf.get({ batch });
    if (row === null) throw new RangeError(`no batch ${batch}`);
    return row;
  };
  const endsOf = (batch: number): Uint32Array => {
    const row = selectEnds.get({ batch });
    if (row === null) throw new RangeError(`no batch ${batch}`);
    return wordsOf(row.ends);
  };
  /** @param mark what tells this row from others of its stream: the first position, where no other row has it. */
  const insertEvents = (stream: number, first: number, mark: number, origin: Origin, run: EventRun): void => {
    const ends = bytesOf(run.ends);
    const { body } = run;
    const count = run.ends.length;
    const row = { stream, first: mark, count, ...origin, ends, body, crc: checksum(ends, body) };
    const { lastInsertRowid: batch } = insertRow.run(row);
    insertPending.run({ stream, first, count, batch, skip: 0, bytes: body.length });
  };
  function* iterateHeads(stream: number, from: number, last: number, limit: number) {
    for (const row of heads.iterate({ stream, from, last, limit })) {
      if (row.first + row.count > from) yield headOf(row);
    }
  }
  return {
    insert(stream, first, origin, run) {
      for (let from = 0; from < run.ends.length; ) {
        const part = sliceRun(run, from, from + countFitting(run, from, ROW_BYTES_MAX, run.ends.length));
        insertEvents(stream, first + from, first + from, origin, part);
        from += part.ends.length;
      }
    },
    insertAgain(stream, first, origin, run) {
      // Its position may still be in the row it was taken from, and a row's first position is its own: below zero
      // there is room for a number that no other row has.
      insertEvents(stream, first, Math.min(0, lowestFirst({ stream })) - 1, origin, run);
    },
    heads: (stream, from, last, limit) => [...iterateHeads(stream, from, last, limit)],
    iterateHeads,
    written: (stream, from, last) =>
      written
        .all({ stream, from, last })
        .filter(({ first, count }) => first + count > from)
        .map(({ id, first, count, scope, received_at }) => ({
          batch: id,
          first,
          count,
          scope,
          receivedAt: received_at,
        })),
    events(batch) {
      const { ends, body, crc } = rowOf(batch);
      return { events: { ends: wordsOf(ends), body }, sound: crc === null || crc === checksum(ends, body) };
    },
    settle(stream, head, from, to) {
      deletePending.run({ stream, first: head.first });
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
        insertPending.run({ stream, first, count: end - first, batch: head.batch, skip, bytes });
        kept += bytes;
      }
      return head.bytes - kept;
    },
    waits(stream, batch, head) {
      const from = head.first - head.skip;
      const end = head.first + head.count + ROW_EVENTS_MAX;
      return waitingIn.get({ stream, from, end, batch }) !== null;
    },
    remove: (batch) => void deleteRow.run({ batch }),
    waiting: (stream) => waiting.iterate({ stream }),
    oldest: () => oldest.get()?.received_at ?? null,
  };
}

const HEAD = ["first", "count", "bytes", "batch", "skip", "scope", "received_at"] as const;

/** More events than a row can hold: each takes a byte and a comma at least. */
const ROW_EVENTS_MAX = ROW_BYTES_MAX;

function headOf({ received_at: receivedAt, ...row }: Row<(typeof HEAD)[number]>): PendingHead {
  return { ...row, receivedAt };
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
