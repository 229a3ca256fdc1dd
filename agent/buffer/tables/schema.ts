/** The buffer's tables, and how an older buffer becomes a current one. */
import type { DatabaseSync } from "node:sqlite";
import { AgentError } from "../../runtime/agent-error.ts";

/** "weir" in ASCII: tells our files from other SQLite databases. */
const APPLICATION_ID = 0x77656972;

/** Step n takes a buffer from version n to n + 1. Append only: buffers in the field have run the older ones. */
const STEPS: readonly string[] = [
  `CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

   -- The equation is the table's own: no transaction can commit counts that do not add up.
   CREATE TABLE streams (
     id INTEGER PRIMARY KEY,
     name TEXT NOT NULL UNIQUE,
     next_position INTEGER NOT NULL DEFAULT 1,
     accepted INTEGER NOT NULL DEFAULT 0,
     delivered INTEGER NOT NULL DEFAULT 0,
     pending INTEGER NOT NULL DEFAULT 0 CHECK (pending >= 0),
     quarantined INTEGER NOT NULL DEFAULT 0 CHECK (quarantined >= 0),
     discarded INTEGER NOT NULL DEFAULT 0,
     pending_bytes INTEGER NOT NULL DEFAULT 0 CHECK (pending_bytes >= 0),
     CHECK (accepted = delivered + pending + quarantined + discarded)
   ) STRICT;

   -- Pending events: a row is a run of positions of one stream and scope, their texts laid end to end with a
   -- comma between; ends holds the offset after each as 32-bit integers, little-endian.
   CREATE TABLE batches (
     id INTEGER PRIMARY KEY,
     stream INTEGER NOT NULL REFERENCES streams (id),
     first INTEGER NOT NULL,
     count INTEGER NOT NULL,
     scope TEXT NOT NULL,
     received_at INTEGER NOT NULL,
     ends BLOB NOT NULL,
     body BLOB NOT NULL,
     UNIQUE (stream, first)
   ) STRICT;

   CREATE TABLE quarantine (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     stream INTEGER NOT NULL REFERENCES streams (id),
     position INTEGER NOT NULL,
     scope TEXT NOT NULL,
     received_at INTEGER NOT NULL,
     event BLOB NOT NULL,
     reason TEXT NOT NULL,
     state TEXT NOT NULL CHECK (state IN ('held', 'retried', 'discarded')),
     quarantined_at INTEGER NOT NULL
   ) STRICT;
   CREATE INDEX quarantine_by_state ON quarantine (state, id);

   -- What each idempotency key brought: event first_index + i got position first_position + i; hashes holds 16
   -- bytes of each content. A key has several rows when a later request under it brought more events.
   CREATE TABLE key_runs (
     id INTEGER PRIMARY KEY,
     stream INTEGER NOT NULL REFERENCES streams (id),
     key TEXT NOT NULL,
     first_index INTEGER NOT NULL,
     first_position INTEGER NOT NULL,
     hashes BLOB NOT NULL,
     received_at INTEGER NOT NULL,
     UNIQUE (stream, key, first_index)
   ) STRICT;
   CREATE INDEX key_runs_by_age ON key_runs (received_at);`,

  // What is pending left the batches' rows for small ones of its own: a row of events is written once and deleted
  // once, however it is cut. Touches no event text, so that it takes
  // a moment however large the backlog is.
  `-- Of ends and body; null in rows of version 1.
   ALTER TABLE batches ADD COLUMN crc INTEGER;

   -- Events first to first + count - 1 wait; their texts are events skip to skip + count - 1 of the batch.
   CREATE TABLE pending (
     stream INTEGER NOT NULL,
     first INTEGER NOT NULL,
     count INTEGER NOT NULL,
     batch INTEGER NOT NULL,
     skip INTEGER NOT NULL,
     bytes INTEGER NOT NULL,
     PRIMARY KEY (stream, first)
   ) STRICT, WITHOUT ROWID;
   INSERT INTO pending SELECT stream, first, count, id, 0, length(body) FROM batches;

   -- Batches of which nothing waits any more, oldest first; ends and body are deflated where packed is 1.
   CREATE TABLE retained (
     id INTEGER PRIMARY KEY,
     stream INTEGER NOT NULL,
     first INTEGER NOT NULL,
     count INTEGER NOT NULL,
     scope TEXT NOT NULL,
     received_at INTEGER NOT NULL,
     settled_at INTEGER NOT NULL,
     packed INTEGER NOT NULL,
     ends BLOB NOT NULL,
     body BLOB NOT NULL
   ) STRICT;
   CREATE INDEX retained_by_position ON retained (stream, first);

   ALTER TABLE quarantine ADD COLUMN corrected BLOB;
   ALTER TABLE quarantine ADD COLUMN discard_reason TEXT;
   CREATE INDEX quarantine_by_position ON quarantine (stream, position);

   -- How far each followed file was read; head is a hash of its first head_bytes bytes.
   CREATE TABLE tails (
     path TEXT NOT NULL,
     inode TEXT NOT NULL,
     offset INTEGER NOT NULL,
     head_bytes INTEGER NOT NULL,
     head TEXT NOT NULL,
     PRIMARY KEY (path, inode)
   ) STRICT, WITHOUT ROWID;`,

  // Calls to a vendor, fixed before their first attempt; a position is in one of them at most.
  `CREATE TABLE shipments (
     stream INTEGER NOT NULL REFERENCES streams (id),
     first INTEGER NOT NULL,
     count INTEGER NOT NULL,
     key TEXT NOT NULL,
     attempted INTEGER NOT NULL,
     PRIMARY KEY (stream, first)
   ) STRICT, WITHOUT ROWID;`,

  // Ages go by the time the log was open, since the time of day may jump. Rows are numbered as they come, so the
  // oldest are found without an index. Touches no row: what is there counts as kept when the log was first opened.
  `ALTER TABLE key_runs ADD COLUMN kept_at INTEGER NOT NULL DEFAULT 0;
   ALTER TABLE retained ADD COLUMN kept_at INTEGER NOT NULL DEFAULT 0;
   DROP INDEX key_runs_by_age;`,

  // The last bodies that came without a key, each event's position told by the first one's. Found by an index in memory.
  `CREATE TABLE bodies (
     id INTEGER PRIMARY KEY,
     hash BLOB NOT NULL,
     first_position INTEGER NOT NULL,
     received_at INTEGER NOT NULL
   ) STRICT;`,

  // An event that is refused again after its retry is the same entry. Before, it got another one: each of those counts
  // what came before it, and stays.
  `ALTER TABLE quarantine ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
   ALTER TABLE quarantine ADD COLUMN earlier_reasons INTEGER NOT NULL DEFAULT 0;
   UPDATE quarantine SET earlier_reasons =
     (SELECT count(*) FROM quarantine AS earlier WHERE earlier.stream = quarantine.stream
        AND earlier.position = quarantine.position AND earlier.id < quarantine.id)
   WHERE (stream, position) IN (SELECT stream, position FROM quarantine WHERE state = 'retried');
   UPDATE quarantine SET attempts = earlier_reasons + (state = 'retried')
   WHERE state = 'retried' OR earlier_reasons > 0;`,

  // The digest of what a stream took (shared/ledger-digest.ts), and how many events it covers: all of a stream that is
  // new, none of what came before, whose bytes are gone.
  `ALTER TABLE streams ADD COLUMN digest_high INTEGER NOT NULL DEFAULT 0;
   ALTER TABLE streams ADD COLUMN digest_low INTEGER NOT NULL DEFAULT 0;
   ALTER TABLE streams ADD COLUMN digested INTEGER NOT NULL DEFAULT 0;`,
];

export const BUFFER_VERSION = STEPS.length;

/** What each column holds. A name means the same in every table that has it, and in a query that computes it. */
export const COLUMN_TYPES = {
  accepted: "integer",
  attempted: "integer",
  attempts: "integer",
  batch: "integer",
  body: "blob",
  bytes: "integer",
  corrected: "blob or null",
  count: "integer",
  crc: "integer or null",
  delivered: "integer",
  digest_high: "integer",
  digest_low: "integer",
  digested: "integer",
  discard_reason: "text or null",
  discarded: "integer",
  earlier_reasons: "integer",
  ends: "blob",
  event: "blob",
  first: "integer",
  first_index: "integer",
  first_position: "integer",
  hash: "blob",
  hashes: "blob",
  head: "text",
  head_bytes: "integer",
  id: "integer",
  inode: "text",
  kept_at: "integer",
  key: "text",
  name: "text",
  next_position: "integer",
  offset: "integer",
  packed: "integer",
  path: "text",
  pending: "integer",
  pending_bytes: "integer",
  position: "integer",
  quarantined: "integer",
  quarantined_at: "integer",
  reason: "text",
  received_at: "integer",
  scope: "text",
  settled_at: "integer",
  skip: "integer",
  state: "text",
  stream: "integer",
  value: "text",
  // Only computed: what the rows of a stream come to, and whether an event may have changed on disk.
  damaged: "integer",
  events: "integer",
  held: "integer",
} as const;

/**
 * Brings an opened database to the current version, each step in its own transaction.
 * @throws AgentError BUFFER_NEWER for a later version's buffer, BUFFER_FOREIGN for another program's database.
 */
export function upgrade(db: DatabaseSync): void {
  const version = versionOf(db);
  for (let from = version; from < BUFFER_VERSION; from++) {
    db.exec(
      `BEGIN IMMEDIATE; ${STEPS[from] ?? ""};
       PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${from + 1}; COMMIT`,
    );
  }
}

/** The version of an opened buffer, 0 for an empty file. Throws as {@link upgrade} does. */
export function versionOf(db: DatabaseSync): number {
  const version = Number(db.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  const application = Number(db.prepare("PRAGMA application_id").get()?.["application_id"] ?? 0);
  const tables = Number(db.prepare("SELECT count(*) AS n FROM sqlite_schema").get()?.["n"] ?? 0);
  if (application !== APPLICATION_ID && (version !== 0 || tables > 0)) {
    throw new AgentError("BUFFER_FOREIGN", "the file is an SQLite database, but no agent's buffer");
  }
  if (version > BUFFER_VERSION) {
    throw new AgentError(
      "BUFFER_NEWER",
      `the buffer has version ${version}, this agent knows up to ${BUFFER_VERSION}: use a newer agent`,
    );
  }
  return version;
}
