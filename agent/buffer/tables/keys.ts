/** What idempotency keys brought before: the only repeats an agent can know of by itself. */
import type { DatabaseSync } from "node:sqlite";
import type { KnownEvent } from "../transactions/operations.ts";
import type { Age } from "./age.ts";
import { blob, integer } from "./column.ts";

const HASH_BYTES = 16;
/** Rows forgotten in one go, so that housekeeping never holds up an append for long. */
const FORGET_ROWS_MAX = 500;

export interface KeyedBody {
  readonly key: string;
  /** 16 bytes of each event's content hash. */
  readonly hashes: Uint8Array;
  /** 1 for an event that has an own id, which the edge judges. */
  readonly ownIds: Uint8Array;
}

export interface KnownBody {
  /** The events of this body that the key brought before, with the positions they got then. */
  readonly events: readonly KnownEvent[];
  /** Events from this index on are new to the key. */
  readonly through: number;
}

export interface KeyMemory {
  known(stream: number, body: KeyedBody): KnownBody;
  /** Keeps the events from `firstIndex` on, which got positions from `firstPosition` on; `at` is the time of day. */
  keep(stream: number, body: KeyedBody, firstIndex: number, firstPosition: number, at: number): void;
  /** Forgets what was kept before the log's age `before`. */
  forget(before: number): void;
}

export function createKeyMemory(db: DatabaseSync, age: Age): KeyMemory {
  const select = db.prepare(
    "SELECT first_index, first_position, hashes, received_at FROM key_runs WHERE stream = ? AND key = ? ORDER BY first_index",
  );
  const insert = db.prepare(
    `INSERT INTO key_runs (stream, key, first_index, first_position, hashes, received_at, kept_at)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  const forget = db.prepare(
    `DELETE FROM key_runs WHERE id IN
       (SELECT id FROM (SELECT id, kept_at FROM key_runs ORDER BY id LIMIT ${FORGET_ROWS_MAX}) WHERE kept_at < ?)`,
  );
  return {
    known(stream, body) {
      const events: KnownEvent[] = [];
      let through = 0;
      for (const row of select.all(stream, body.key)) {
        const firstIndex = integer(row, "first_index");
        const firstPosition = integer(row, "first_position");
        const hashes = blob(row, "hashes");
        const receivedAt = integer(row, "received_at");
        through = firstIndex + hashes.length / HASH_BYTES;
        const count = Math.min(hashes.length, body.hashes.length - firstIndex * HASH_BYTES) / HASH_BYTES;
        for (let i = 0; i < count; i++) {
          const index = firstIndex + i;
          const same = sameHash(hashes, i, body.hashes, index);
          // Its own id outranks the key: other content there is another event, and the edge will judge it.
          if (same || body.ownIds[index] !== 1) events.push({ index, position: firstPosition + i, same, receivedAt });
        }
      }
      return { events, through };
    },
    keep(stream, body, firstIndex, firstPosition, at) {
      const hashes = body.hashes.subarray(firstIndex * HASH_BYTES);
      if (hashes.length > 0) insert.run(stream, body.key, firstIndex, firstPosition, hashes, at, age.now());
    },
    forget: (before) => void forget.run(before),
  };
}

function sameHash(a: Uint8Array, aIndex: number, b: Uint8Array, bIndex: number): boolean {
  for (let i = 0; i < HASH_BYTES; i++) {
    if (a[aIndex * HASH_BYTES + i] !== b[bIndex * HASH_BYTES + i]) return false;
  }
  return true;
}
