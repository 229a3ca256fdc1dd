/**
 * The last bodies that were taken, by hash: a client whose answer was cut off sends the very same one again. Rows are
 * only ever added at the end and removed at the front, so that one costs an append a few bytes of a page it writes anyway;
 * where a hash is, an index in memory says, read anew from the rows when the log is first asked after an opening.
 */
import type { DatabaseSync } from "node:sqlite";
import { createHashIndex, type HashIndex, rowMark, rowOf } from "./hash-index.ts";
import { query, statement } from "./rows.ts";

/** Bytes kept of a body's hash. */
export const BODY_HASH_BYTES = 16;
/** What the index needs of a hash. */
const TAG_BYTES = 4;
const READ_ROWS = 4096;
/** Forgotten in one go where there are too many. */
const FORGET_ROWS = 64;

/** A body that was taken before: its events got positions from `firstPosition` on, in order. */
export interface TakenBody {
  readonly firstPosition: number;
  /** By the time of day. */
  readonly receivedAt: number;
}

export interface BodyTable {
  /** Null for a body that is new, or was forgotten. */
  find(hash: Uint8Array): TakenBody | null;
  /** Keeps it, and forgets the oldest beyond the bound. */
  keep(hash: Uint8Array, body: TakenBody): void;
  /** The open transaction is committed, or undone. */
  committed(): void;
  rolledBack(): void;
}

/** @param rowsMax how many are kept at least; a few more may be. */
export function createBodyTable(db: DatabaseSync, rowsMax: number): BodyTable {
  const insert = statement(
    db,
    "INSERT INTO bodies (hash, first_position, received_at) VALUES (:hash, :firstPosition, :receivedAt)",
  );
  const byId = query(
    db,
    ["hash", "first_position", "received_at"],
    "SELECT hash, first_position, received_at FROM bodies WHERE id = :id",
  );
  // Many rows at a time, as one text: a million small blobs would fill the memory before they are collected.
  const tags = query(
    db,
    ["first", "count", "value"],
    `SELECT coalesce(min(id), 0) AS first, count(*) AS count,
       coalesce(group_concat(hex(substr(hash, 1, ${TAG_BYTES})), ''), '') AS value
     FROM (SELECT id, hash FROM bodies WHERE id > :after ORDER BY id LIMIT ${READ_ROWS})`,
  );
  const oldest = query(db, ["id", "hash"], `SELECT id, hash FROM bodies ORDER BY id LIMIT ${FORGET_ROWS}`);
  const remove = statement(db, "DELETE FROM bodies WHERE id <= :id");
  let read: Read | null = null;
  /** What the open transaction did to the index, to be undone with it. */
  let undo: (() => void)[] = [];

  const readAll = (): Read => {
    const index = createHashIndex();
    let [newest, total] = [0, 0];
    for (;;) {
      const { first = 0, count = 0, value = "" } = tags.get({ after: newest }) ?? {};
      if (count === 0) return { index, newest, count: total };
      // Rows are added at the end and removed at the front, so that their numbers have no gaps.
      const bytes = Buffer.from(value, "hex");
      for (let i = 0; i < count; i++) index.add(bytes.subarray(i * TAG_BYTES), rowMark(first + i));
      newest = first + count - 1;
      total += count;
    }
  };
  const known = (): Read => {
    read ??= readAll();
    return read;
  };
  const forgetOldest = (state: Read): void => {
    const rows = oldest.all();
    for (const { id, hash } of rows) {
      state.index.remove(hash, rowMark(id));
      undo.push(() => state.index.add(hash, rowMark(id)));
    }
    const last = rows.at(-1);
    if (last !== undefined) remove.run({ id: last.id });
    state.count -= rows.length;
    undo.push(() => {
      state.count += rows.length;
    });
  };
  return {
    find(hash) {
      const { index, newest } = known();
      for (const mark of index.marks(hash)) {
        const row = byId.get({ id: rowOf(mark, newest) });
        if (row !== null && Buffer.compare(row.hash, hash) === 0) {
          return { firstPosition: row.first_position, receivedAt: row.received_at };
        }
      }
      return null;
    },
    keep(hash, { firstPosition, receivedAt }) {
      const state = known();
      const { newest } = state;
      const id = Number(insert.run({ hash, firstPosition, receivedAt }).lastInsertRowid);
      state.index.add(hash, rowMark(id));
      state.newest = id;
      state.count++;
      undo.push(() => {
        state.index.remove(hash, rowMark(id));
        state.newest = newest;
        state.count--;
      });
      if (state.count >= rowsMax + FORGET_ROWS) forgetOldest(state);
    },
    committed() {
      undo = [];
    },
    rolledBack() {
      for (const step of undo.reverse()) step();
      undo = [];
    },
  };
}

interface Read {
  readonly index: HashIndex;
  newest: number;
  count: number;
}
