/** What idempotency keys brought before: the only repeats an agent can know of by itself. */
import type { DatabaseSync } from "node:sqlite";
import { CONTENT_HASH_BYTES } from "../../../shared/identity.ts";
import type { Age } from "./age.ts";
import { type KnownEvents, KnownList, NONE_KNOWN } from "./known-events.ts";
import { query, statement } from "./rows.ts";

/** Rows forgotten in one go, so that housekeeping never holds up an append for long. */
const FORGET_ROWS_MAX = 500;

export interface KeyedBody {
  readonly key: string;
  /** `CONTENT_HASH_BYTES` of each event's content hash. */
  readonly hashes: Uint8Array;
  /** 1 for an event that has an own id, which the edge judges. */
  readonly ownIds: Uint8Array;
}

export interface KnownBody {
  /** The events of this body that the key brought before, with the positions they got then. */
  readonly events: KnownEvents;
  /** Events from this index on are new to the key. */
  readonly through: number;
}

export interface KeyTable {
  known(stream: number, body: KeyedBody): KnownBody;
  /** Keeps the events from `firstIndex` on, which got positions from `firstPosition` on; `receivedAt` by the time of day. */
  keep(stream: number, body: KeyedBody, firstIndex: number, firstPosition: number, receivedAt: number): void;
  /** Forgets what was kept before the log's age `before`. */
  forget(before: number): void;
}

export function createKeyTable(db: DatabaseSync, age: Age): KeyTable {
  const runsOf = query(
    db,
    ["first_index", "first_position", "hashes", "received_at"],
    `SELECT first_index, first_position, hashes, received_at FROM key_runs
     WHERE stream = :stream AND key = :key ORDER BY first_index`,
  );
  const insert = statement(
    db,
    `INSERT INTO key_runs (stream, key, first_index, first_position, hashes, received_at, kept_at)
     VALUES (:stream, :key, :firstIndex, :firstPosition, :hashes, :receivedAt, :keptAt)`,
  );
  const forget = statement(
    db,
    `DELETE FROM key_runs WHERE id IN
       (SELECT id FROM (SELECT id, kept_at FROM key_runs ORDER BY id LIMIT ${FORGET_ROWS_MAX}) WHERE kept_at < :before)`,
  );
  return {
    known(stream, body) {
      const rows = runsOf.all({ stream, key: body.key });
      if (rows.length === 0) return NOTHING_KNOWN;
      const events = new KnownList(body.hashes.length / CONTENT_HASH_BYTES);
      let through = 0;
      for (const row of rows) {
        const { first_index: firstIndex, first_position: firstPosition, hashes, received_at: receivedAt } = row;
        through = firstIndex + hashes.length / CONTENT_HASH_BYTES;
        const count =
          Math.min(hashes.length, body.hashes.length - firstIndex * CONTENT_HASH_BYTES) / CONTENT_HASH_BYTES;
        for (let i = 0; i < count; i++) {
          const index = firstIndex + i;
          const same = sameHash(hashes, i, body.hashes, index);
          // Its own id outranks the key: other content there is another event, and the edge will judge it.
          if (same || body.ownIds[index] !== 1) events.add(index, firstPosition + i, same, receivedAt);
        }
      }
      return { events: events.all, through };
    },
    keep(stream, { key, hashes: all }, firstIndex, firstPosition, receivedAt) {
      const hashes = all.subarray(firstIndex * CONTENT_HASH_BYTES);
      if (hashes.length === 0) return;
      insert.run({ stream, key, firstIndex, firstPosition, hashes, receivedAt, keptAt: age.now() });
    },
    forget: (before) => void forget.run({ before }),
  };
}

export const NOTHING_KNOWN: KnownBody = { events: NONE_KNOWN, through: 0 };

function sameHash(a: Uint8Array, aIndex: number, b: Uint8Array, bIndex: number): boolean {
  for (let i = 0; i < CONTENT_HASH_BYTES; i++) {
    if (a[aIndex * CONTENT_HASH_BYTES + i] !== b[bIndex * CONTENT_HASH_BYTES + i]) return false;
  }
  return true;
}
