/** Delivered batches, packed and kept for a while so that an audit can send again what the edge turns out to lack. */
import type { DatabaseSync } from "node:sqlite";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { Age } from "./age.ts";
import type { EventRun } from "./event-run.ts";
import { number, query, type Row, statement } from "./rows.ts";

export interface RetainedBatch {
  readonly first: number;
  readonly count: number;
  readonly scope: string;
  readonly receivedAt: number;
}

export interface RetainedTable {
  /** Keeps a batch of which nothing waits any more; the oldest go where that is too much. */
  keep(stream: number, batch: RetainedBatch, run: EventRun, settledAt: number): void;
  /** Batches that hold positions of `from` to `last`. */
  find(stream: number, from: number, last: number): (RetainedBatch & { readonly events: EventRun })[];
  /** Lets go of what was kept before the log's age `before`; bounded, so that it never holds up an append for long. */
  forget(before: number): void;
  /** Lets go of the oldest until about `bytes` are free; false where there was nothing left to let go. */
  evict(bytes: number): boolean;
  /** After a rollback: counts again. */
  recount(): void;
}

const ROWS_MAX = 200;
/** Below it packing costs more time than it saves room. */
const PACKED_FROM_BYTES = 2048;

export function createRetainedTable(db: DatabaseSync, bytesMax: number, age: Age): RetainedTable {
  const count = number(db, "SELECT coalesce(sum(length(body)), 0) FROM retained");
  const insert = statement(
    db,
    `INSERT INTO retained (stream, first, count, scope, received_at, settled_at, kept_at, packed, ends, body)
     VALUES (:stream, :first, :count, :scope, :receivedAt, :settledAt, :keptAt, :packed, :ends, :body)`,
  );
  const holding = query(
    db,
    BATCH,
    `SELECT first, count, scope, received_at, packed, ends, body FROM retained
     WHERE stream = :stream AND first <= :last AND first + count > :from ORDER BY first`,
  );
  const oldest = query(db, ["id", "bytes"], "SELECT id, length(body) AS bytes FROM retained ORDER BY id LIMIT 16");
  const aged = query(
    db,
    ["id", "bytes"],
    `SELECT id, bytes FROM (SELECT id, kept_at, length(body) AS bytes FROM retained ORDER BY id LIMIT ${ROWS_MAX})
     WHERE kept_at < :before`,
  );
  const remove = statement(db, "DELETE FROM retained WHERE id = :id");
  let kept = count();

  const evict = (bytes: number): boolean => {
    let freed = 0;
    while (freed < bytes) {
      const rows = oldest.all();
      if (rows.length === 0) break;
      for (const row of rows) {
        if (freed >= bytes) break;
        remove.run({ id: row.id });
        freed += Math.max(1, row.bytes);
      }
    }
    kept -= freed;
    return freed > 0;
  };
  return {
    keep(stream, batch, run, settledAt) {
      const packed = packedOf(run);
      insert.run({ stream, ...batch, settledAt, keptAt: age.now(), ...packed });
      kept += packed.body.length;
      if (kept > bytesMax) evict(kept - bytesMax);
    },
    find: (stream, from, last) => holding.all({ stream, last, from }).map(batchOf),
    forget(before) {
      for (const row of aged.all({ before })) {
        remove.run({ id: row.id });
        kept -= row.bytes;
      }
    },
    evict,
    recount() {
      kept = count();
    },
  };
}

const BATCH = ["first", "count", "scope", "received_at", "packed", "ends", "body"] as const;

function packedOf(run: EventRun): { packed: 0 | 1; ends: Uint8Array; body: Uint8Array } {
  const ends = new Uint8Array(run.ends.buffer, run.ends.byteOffset, run.ends.byteLength);
  if (run.body.length < PACKED_FROM_BYTES) return { packed: 0, ends, body: run.body };
  return { packed: 1, ends: deflateRawSync(ends, { level: 1 }), body: deflateRawSync(run.body, { level: 1 }) };
}

function batchOf(row: Row<(typeof BATCH)[number]>): RetainedBatch & { readonly events: EventRun } {
  const { first, count, scope, received_at: receivedAt } = row;
  const unpack = (bytes: Uint8Array) => (row.packed === 1 ? inflateRawSync(bytes) : bytes);
  const events = { ends: new Uint32Array(new Uint8Array(unpack(row.ends)).buffer), body: unpack(row.body) };
  return { first, count, scope, receivedAt, events };
}
