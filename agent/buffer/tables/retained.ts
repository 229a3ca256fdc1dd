/** Delivered batches, packed and kept for a while so that an audit can send again what the edge turns out to lack. */
import type { DatabaseSync } from "node:sqlite";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { EventRun } from "../transactions/operations.ts";
import type { Age } from "./age.ts";
import { blob, integer, text } from "./column.ts";

export interface RetainedBatch {
  readonly first: number;
  readonly count: number;
  readonly scope: string;
  readonly receivedAt: number;
}

export interface Retention {
  /** Keeps a batch of which nothing waits any more, settled `at`; the oldest go where that is too much. */
  keep(stream: number, batch: RetainedBatch, run: EventRun, at: number): void;
  /** Batches that hold positions of `from` to `last`. */
  find(stream: number, from: number, last: number): (RetainedBatch & { readonly events: EventRun })[];
  /** Lets go of what was kept before the log's age `before`; bounded, so that it never holds up an append for long. */
  forget(before: number): void;
  /** Lets go of the oldest until about `bytes` are free; false where there was nothing left to let go. */
  yieldBytes(bytes: number): boolean;
  /** After a rollback: counts again. */
  recount(): void;
}

const ROWS_MAX = 200;
/** Below it packing costs more time than it saves room. */
const PACKED_FROM_BYTES = 2048;

export function createRetention(db: DatabaseSync, bytesMax: number, age: Age): Retention {
  const sum = db.prepare("SELECT coalesce(sum(length(body)), 0) AS bytes FROM retained");
  const insert = db.prepare(
    `INSERT INTO retained (stream, first, count, scope, received_at, settled_at, kept_at, packed, ends, body)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const select = db.prepare(
    `SELECT first, count, scope, received_at, packed, ends, body FROM retained
     WHERE stream = ? AND first <= ? AND first + count > ? ORDER BY first`,
  );
  const oldest = db.prepare("SELECT id, length(body) AS bytes FROM retained ORDER BY id LIMIT 16");
  const aged = db.prepare(
    `SELECT id, bytes FROM (SELECT id, kept_at, length(body) AS bytes FROM retained ORDER BY id LIMIT ${ROWS_MAX})
     WHERE kept_at < ?`,
  );
  const remove = db.prepare("DELETE FROM retained WHERE id = ?");
  const count = () => integer(sum.get() ?? {}, "bytes");
  let kept = count();

  const yieldBytes = (bytes: number): boolean => {
    let freed = 0;
    while (freed < bytes) {
      const rows = oldest.all();
      if (rows.length === 0) break;
      for (const row of rows) {
        if (freed >= bytes) break;
        remove.run(integer(row, "id"));
        freed += Math.max(1, integer(row, "bytes"));
      }
    }
    kept -= freed;
    return freed > 0;
  };
  return {
    keep(stream, { first, count: events, scope, receivedAt }, run, at) {
      const packed = run.body.length >= PACKED_FROM_BYTES;
      const pack = (bytes: Uint8Array) => (packed ? deflateRawSync(bytes, { level: 1 }) : bytes);
      const ends = new Uint8Array(run.ends.buffer, run.ends.byteOffset, run.ends.byteLength);
      const body = pack(run.body);
      insert.run(...[stream, first, events, scope, receivedAt, at, age.now(), packed ? 1 : 0, pack(ends), body]);
      kept += body.length;
      if (kept > bytesMax) yieldBytes(kept - bytesMax);
    },
    find: (stream, from, last) =>
      select.all(stream, last, from).map((row) => {
        const unpack = (bytes: Uint8Array) => (integer(row, "packed") === 1 ? inflateRawSync(bytes) : bytes);
        return {
          first: integer(row, "first"),
          count: integer(row, "count"),
          scope: text(row, "scope"),
          receivedAt: integer(row, "received_at"),
          events: {
            ends: new Uint32Array(new Uint8Array(unpack(blob(row, "ends"))).buffer),
            body: unpack(blob(row, "body")),
          },
        };
      }),
    forget(before) {
      for (const row of aged.all(before)) {
        remove.run(integer(row, "id"));
        kept -= integer(row, "bytes");
      }
    },
    yieldBytes,
    recount() {
      kept = count();
    },
  };
}
